"""The contract of transforms."""
# ruff: noqa: ANN401 - what a component builds, and its state, are of its own types

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import Chain, Stage

from .common import frozen, on_cuda, on_meta, replayed, same, state_rows, unsynced
from .compact import check_compact_transform
from .probes import Probe
from .rows import check_transform_rows

NEVER = float("-inf")


def run(built: Any, probe: Probe, step: Step | None = None) -> Tensor:
    """The probe's logits after one application, with the state that its histories lead to."""
    step = probe.step() if step is None else step
    rows = [int(row) for row in range(step.rows.shape[0])]
    logits = probe.logits[rows] if len(rows) == probe.logits.shape[0] else probe.logits
    result: Tensor = built.apply(logits.clone(), step, replayed(built, probe, step))
    return result


def check_transform(one: Sampler, built: Any, tried: list[Probe]) -> Iterator[str]:
    """All rules, on all probes."""
    for probe in tried:
        yield from state_rows(replayed(built, probe, probe.step()), probe.logits.shape[0])
    removing = [bool(((run(built, probe) == NEVER) & (probe.logits > NEVER)).any()) for probe in tried]
    if any(removing) and not one.removes and not one.takes_maximum():
        yield "it removes tokens, but declares removes = False: the chain couldn't protect the stop token"
    for probe in tried:
        yield from _result(one, built, probe, filtering=any(removing))
        yield from _purity(built, probe)
        yield from _rows(built, probe)
        yield from _protected(one, built, probe)
        yield from _ties(one, built, probe)
        yield from check_compact_transform(one, built, probe)
        yield from check_transform_rows(built, probe)
    wide = [probe for probe in tried if probe.size == 1025]
    for probe in wide:
        if not one.waits and probe.waits:
            yield from _without_sync(built, probe)
        yield from _declared(one, built, probe)
        yield from _half(one, built, probe)
        yield from _rollback(built, probe)


def _result(one: Sampler, built: Any, probe: Probe, filtering: bool) -> Iterator[str]:
    result = run(built, probe)
    if result.shape != probe.logits.shape or result.dtype != torch.float32:
        yield f"it returns {tuple(result.shape)} {result.dtype} for {tuple(probe.logits.shape)} float32 ({probe.name})"
        return
    if bool(result.isnan().any()) or bool((result == float("inf")).any()):
        yield f"it makes NaN or +inf of finite logits ({probe.name})"
    removed = probe.logits == NEVER
    if bool((removed & (result > NEVER)).any()):
        yield f"it brings back removed tokens ({probe.name})"
    kept = ~removed & (result > NEVER)
    if filtering and not torch.equal(result[kept], probe.logits[kept]):
        yield f"it removes tokens and also changes the logits of those it keeps ({probe.name})"
    if not one.bans and not bool((result > NEVER).any(-1).all()):
        yield f"it leaves a row empty ({probe.name})"
    if one.is_neutral() and not same(result, probe.logits):
        yield f"it is neutral, but changes logits ({probe.name})"


def _purity(built: Any, probe: Probe) -> Iterator[str]:
    step, logits = probe.step(), probe.logits.clone()
    state = replayed(built, probe, step)
    held, before, kept = frozen(built), states.snapshot(step), states.snapshot(state)
    first = built.apply(logits, step, state).clone()
    if not torch.equal(logits, probe.logits):
        yield "it writes to the logits it is given"
    if not _equal(step, before):
        yield "apply() writes to the step"
    if not _equal(state, kept):
        yield "apply() changes the state: only accept() may"
    if not same(built.apply(probe.logits.clone(), step, state), first):
        yield "applied twice to the same, it gives different logits: the object remembers"
    tokens = torch.zeros(probe.logits.shape[0], dtype=torch.long)
    built.accept(tokens, step, state)
    if bool((tokens != 0).any()):
        yield "accept() writes to the tokens it is given"
    if not _equal(step, before):
        yield "accept() writes to the step"
    if frozen(built) != held:
        yield "the object changes while it works: what changes belongs into the state"
    if not same(run(built, probe, probe.step(garbage=0)), run(built, probe, probe.step(garbage=probe.size - 1))):
        yield f"it reads the history behind the rows' lengths ({probe.name})"


def _rows(built: Any, probe: Probe) -> Iterator[str]:
    whole, count = run(built, probe), probe.logits.shape[0]
    for row in range(count):
        lone = Probe(probe.name, probe.logits[row : row + 1], probe.histories[row : row + 1], probe.stage)
        step = lone.step()
        step.rows = probe.step().rows[row : row + 1]
        step.keys = step.noise.keys(step.rows)
        if not same(run(built, lone, step), whole[row : row + 1]):
            yield f"a row alone gives other logits than in a batch ({probe.name}, row {row})"
            break
    order = list(reversed(range(count)))
    turned = Probe(probe.name, probe.logits[order], tuple(probe.histories[row] for row in order), probe.stage)
    step = turned.step()
    step.rows = probe.step().rows[order]
    step.keys = step.noise.keys(step.rows)
    if not same(run(built, turned, step), whole[order]):
        yield f"permuted rows don't give permuted logits ({probe.name})"


def _protected(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    """Within a chain the stop token survives, and is never alone."""
    if one.bans or one.takes_maximum():
        return
    chain = Chain([Stage(one.name, built, one.bans, one.removes)], vocab_size=probe.size)
    for stop in {0, probe.size - 1, int(probe.logits[0].argmax())}:
        step = probe.step(stop_token=stop)
        result = chain.process(probe.logits, step, chain.init(probe.logits.shape[0], step))
        others = torch.ones(probe.size, dtype=torch.bool)
        others[stop] = False
        if bool(((probe.logits[:, stop] > NEVER) & (result[:, stop] == NEVER)).any()):
            yield f"in a chain the stop token is removed ({probe.name}, stop {stop})"
        had, has = (each[:, others] > NEVER for each in (probe.logits, result))
        if bool((had.any(-1) & ~has.any(-1)).any()):
            yield f"in a chain only the stop token is left ({probe.name}, stop {stop})"


def _without_sync(built: Any, probe: Probe) -> Iterator[str]:
    def call(built: Any, logits: Tensor, step: Step, state: Any) -> None:
        built.apply(logits, step, state)
        built.accept(step.lengths * 0, step, state)

    step = probe.step()
    state = replayed(built, probe, step)
    yield from unsynced(lambda: call(built, probe.logits, step, state))
    yield from on_meta(built, probe, call)
    yield from on_cuda(built, probe, call)


def _declared(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    result = run(built, probe)
    if "argmax" in one.invariances and not torch.equal(result.argmax(-1), probe.logits.argmax(-1)):
        yield f"it declares the argmax invariant, but moves it ({probe.name})"
    if "shift" in one.invariances:
        shifted = Probe(probe.name, probe.logits + 8.0, probe.histories, probe.stage)
        if not same(run(built, shifted), result + 8.0):
            yield f"it declares that a constant added to all logits changes nothing, but it does ({probe.name})"


def _ties(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    """A filter that takes from the bottom takes the higher ids first among equals."""
    if "argmax" not in one.invariances:
        return
    order = probe.logits.sort(dim=-1, descending=True, stable=True)
    kept = run(built, probe).gather(1, order.indices) > NEVER
    equal = (order.values[:, 1:] == order.values[:, :-1]) & (order.values[:, 1:] > NEVER)
    if bool((equal & ~kept[:, :-1] & kept[:, 1:]).any()):
        yield f"among equal logits it removes lower ids and keeps higher ones ({probe.name})"


def _half(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    """A model's half precision gives what the same numbers give in float32."""
    chain = Chain([Stage(one.name, built, one.bans or one.takes_maximum(), one.removes)], vocab_size=probe.size)
    for dtype in (torch.float16, torch.bfloat16):
        step = probe.step()
        given = probe.logits.to(dtype)
        results = [chain.process(each, step, chain.init(len(each), step)) for each in (given, given.float())]
        if not same(*results):
            yield f"{dtype} logits give something else than their values in float32 ({probe.name})"


def _rollback(built: Any, probe: Probe) -> Iterator[str]:
    """Rolled back and replayed, selected and run on, a state gives what it gave before."""
    rows = probe.logits.shape[0]
    tokens = torch.arange(6 * rows).reshape(6, rows) % 3

    def follow(step: Step, state: Any, first: int, last: int) -> tuple[list[Tensor], Any]:
        seen: list[Tensor] = []
        for each in tokens[first:last]:
            seen.append(built.apply(probe.logits[: step.rows.shape[0]].clone(), step, state).clone())
            state = built.accept(each[: step.rows.shape[0]], step, state)
            step.append(each[: step.rows.shape[0]])
        return seen, state

    step = probe.step()
    state = replayed(built, probe, step)
    _, state = follow(step, state, 0, 3)
    marked, kept = states.snapshot(step), states.snapshot(state)
    first, _ = follow(step, state, 3, 6)
    again, _ = follow(states.snapshot(marked), states.snapshot(kept), 3, 6)
    if not all(same(left, right) for left, right in zip(first, again, strict=True)):
        yield "rolled back and replayed, it gives other logits"
    half = torch.arange(max(1, rows // 2))
    part, _ = follow(marked.select(half), states.select(kept, half), 3, 6)
    if not all(same(left, right[: half.shape[0]]) for left, right in zip(part, first, strict=True)):
        yield "after some rows were dropped, the others give other logits"


def _equal(left: object, right: object) -> bool:
    pairs = zip(states.tensors(left), states.tensors(right), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)
