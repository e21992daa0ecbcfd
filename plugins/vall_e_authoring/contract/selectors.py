"""The contract of selectors."""
# ruff: noqa: ANN401 - what a component builds, and its state, are of its own types

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states

from .common import context, frozen, on_cuda, on_meta, state_rows, unsynced
from .compact import check_compact_selector
from .probes import Probe, nearly_nothing
from .rows import check_selector_rows

NEVER = float("-inf")


def check_selector(one: Sampler, built: Any, tried: list[Probe]) -> Iterator[str]:
    """All rules, on all probes."""
    for probe in tried:
        yield from _choice(one, built, probe)
        yield from _purity(built, probe)
        yield from _rows(built, probe)
        yield from check_compact_selector(one, built, probe)
        yield from check_selector_rows(built, probe)
    yield from _nothing_else(built, tried[0].stage)
    for probe in tried:
        if probe.size == 1025:
            if not one.waits and probe.waits:
                yield from _without_sync(built, probe)
            yield from _rollback(built, probe)


def fresh(built: Any, probe: Probe, step: Step) -> Any:
    """A selector's state before its first step."""
    return built.init(step.rows.shape[0], context(probe, step))


def _choice(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    step = probe.step()
    state = fresh(built, probe, step)
    tokens = built.select(probe.logits.clone(), step, state)
    if tokens.shape != (probe.logits.shape[0],) or tokens.dtype != torch.int64:
        yield f"select() returns {tuple(tokens.shape)} {tokens.dtype} instead of one int64 a row ({probe.name})"
        return
    if bool(((tokens < 0) | (tokens >= probe.size)).any()):
        yield f"it selects ids that don't exist ({probe.name})"
        return
    if bool((probe.logits.gather(1, tokens.unsqueeze(1)) == NEVER).any()):
        yield f"it selects removed tokens ({probe.name})"
    supported = built.support(probe.logits.clone(), step, state)
    if supported.shape != probe.logits.shape or bool(supported.isnan().any()):
        yield f"support() returns NaN or another shape ({probe.name})"
        return
    if bool(((probe.logits == NEVER) & (supported > NEVER)).any()):
        yield f"support() brings back removed tokens ({probe.name})"
    if not bool((supported > NEVER).any(-1).all()):
        yield f"support() leaves a row empty ({probe.name})"
    if "deterministic" in one.invariances:
        best = probe.logits == probe.logits.amax(-1, keepdim=True)
        if not torch.equal(tokens, best.to(torch.uint8).argmax(-1)):
            yield f"it declares to take the most probable token, lowest id first, but doesn't ({probe.name})"
    if "shift" in one.invariances and not torch.equal(built.select(probe.logits + 8.0, step, state), tokens):
        yield f"it declares that a constant added to all logits changes nothing, but it does ({probe.name})"


def _nothing_else(built: Any, stage: str) -> Iterator[str]:
    """Behind a filter that left one or two tokens and the stop token, it doesn't stop because nothing else is left."""
    for probe, stop in nearly_nothing(stage):
        step = probe.step(stop_token=stop)
        state = fresh(built, probe, step)
        for _ in range(4):
            supported = torch.softmax(built.support(probe.logits.clone(), step, state), -1)[:, stop]
            tokens = built.select(probe.logits.clone(), step, state)
            if bool((tokens == stop).any()) or bool((supported > 0.3).any()):
                yield f"it takes an improbable stop token where a filter left it little else ({probe.name})"
                return
            state = built.accept(probe.logits, tokens, step, state)
            step.append(tokens)


def _purity(built: Any, probe: Probe) -> Iterator[str]:
    step, logits = probe.step(), probe.logits.clone()
    state = fresh(built, probe, step)
    held, kept, before = frozen(built), states.snapshot(state), states.snapshot(step)
    first = built.select(logits, step, state).clone()
    again = built.select(logits, step, state)
    built.support(logits, step, state)
    if not torch.equal(first, again):
        yield "selected twice from the same, it takes different tokens: take noise from step.uniform(label)"
    if not torch.equal(logits, probe.logits):
        yield "it writes to the logits it is given"
    if not all(map(torch.equal, states.tensors(state), states.tensors(kept))):
        yield "select() changes the state: only accept() may"
    tokens = first.clone()
    built.accept(logits, tokens, step, state)
    if not torch.equal(logits, probe.logits) or not torch.equal(tokens, first):
        yield "accept() writes to the logits or tokens it is given"
    if not all(map(torch.equal, states.tensors(step), states.tensors(before))):
        yield "it writes to the step"
    if frozen(built) != held:
        yield "the object changes while it works: what changes belongs into the state"


def _rows(built: Any, probe: Probe) -> Iterator[str]:
    step, count = probe.step(), probe.logits.shape[0]
    whole = built.select(probe.logits.clone(), step, fresh(built, probe, step))
    for rows in [*([row] for row in range(count)), list(reversed(range(count)))]:
        part = step.select(torch.tensor(rows))
        got = built.select(probe.logits[rows], part, fresh(built, probe, part))
        if not torch.equal(got, whole[rows]):
            what = "a row alone" if len(rows) == 1 else "permuted rows"
            yield f"{what} give(s) other tokens than the batch ({probe.name})"
            break
    yield from state_rows(fresh(built, probe, step), count)


def _without_sync(built: Any, probe: Probe) -> Iterator[str]:
    def call(built: Any, logits: Tensor, step: Step, state: Any) -> None:
        built.support(logits, step, state)
        built.accept(logits, built.select(logits, step, state), step, state)

    class Started:
        """The selector, whose state is only ever fresh here."""

        def init(self, rows: int, ctx: Any) -> Any:
            return None

    step = probe.step()
    yield from unsynced(lambda: call(built, probe.logits, step, fresh(built, probe, step)))

    def started(_: Any, logits: Tensor, step: Step, state: Any) -> None:
        own = fresh(built, Probe(probe.name, logits, probe.histories, probe.stage), step)
        call(built, logits, step, own)

    yield from on_meta(Started(), probe, started)
    yield from on_cuda(Started(), probe, started)


def _rollback(built: Any, probe: Probe) -> Iterator[str]:
    def follow(step: Step, state: Any, count: int) -> tuple[list[Tensor], Any]:
        seen: list[Tensor] = []
        for _ in range(count):
            logits = probe.logits[: step.rows.shape[0]].roll(int(step.index), dims=1)
            tokens = built.select(logits, step, state)
            seen.append(tokens)
            state = built.accept(logits, tokens, step, state)
            step.append(tokens)
        return seen, state

    step = probe.step()
    _, state = follow(step, fresh(built, probe, step), 3)
    marked, kept = states.snapshot(step), states.snapshot(state)
    first, _ = follow(step, state, 3)
    again, _ = follow(states.snapshot(marked), states.snapshot(kept), 3)
    if not all(map(torch.equal, first, again)):
        yield "rolled back and replayed, it takes other tokens"
    half = torch.arange(max(1, probe.logits.shape[0] // 2))
    part, _ = follow(marked.select(half), states.select(kept, half), 3)
    if not all(torch.equal(left, right[: half.shape[0]]) for left, right in zip(part, first, strict=True)):
        yield "after some rows were dropped, the others take other tokens"
