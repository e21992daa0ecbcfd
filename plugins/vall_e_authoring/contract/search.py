"""The contract of searches."""
# ruff: noqa: ANN401 - what a component builds, and its state, are of its own types

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import Choice, Step
from vall_e_core.sampling import state as states

from .common import context, frozen, on_cuda, on_meta, state_rows, unsynced
from .probes import Probe, nearly_nothing

NEVER = float("-inf")
UTTERANCES = 3
_STEPS = 4


def check_search(one: Sampler, built: Any, tried: list[Probe]) -> Iterator[str]:
    """All rules, on all probes."""
    for probe in (_spread(each, built.width) for each in tried):
        problems = list(_choice(built, probe))
        yield from problems
        if problems:
            return  # what follows would index with what was returned
        yield from _purity(built, probe)
        yield from _utterances(built, probe)
        if probe.size == 1025:
            yield from _removed(built, probe)
            yield from _rollback(built, probe)
            if not one.waits and probe.waits:
                yield from _without_sync(built, probe)
    yield from _nothing_else(built, tried[0].stage)


def _repeated(probe: Probe, width: int) -> Probe:
    """The probe's first rows as utterances of so many hypotheses."""
    rows = [row % probe.logits.shape[0] for row in range(UTTERANCES) for _ in range(width)]
    logprobs = torch.log_softmax(probe.logits[rows], -1)
    return Probe(probe.name, logprobs, tuple(probe.histories[row] for row in rows), probe.stage)


def _spread(probe: Probe, width: int) -> Probe:
    """The probe's first rows as utterances of so many hypotheses, with log-probabilities; none is removed."""
    rows = [row % probe.logits.shape[0] for row in range(UTTERANCES) for _ in range(width)]
    logits = probe.logits.clamp(min=-50.0)[rows] + torch.arange(len(rows)).unsqueeze(1) % width * 0.1
    histories = tuple(probe.histories[row] for row in rows)
    return Probe(probe.name, torch.log_softmax(logits, -1), histories, probe.stage, probe.waits)


def _begin(built: Any, probe: Probe, utterances: Sequence[int] = range(UTTERANCES)) -> tuple[Step, Any]:
    """A step and a fresh state of some utterances of a probe."""
    step = probe.step(stop_token=probe.size - 1)
    chosen = step.select(_rows_of(utterances, built.width))
    return chosen, built.init(len(utterances), context(probe, chosen))


def _rows_of(utterances: Sequence[int], width: int) -> Tensor:
    return torch.tensor([utterance * width + row for utterance in utterances for row in range(width)])


def _follow(
    built: Any,
    probe: Probe,
    step: Step,
    state: Any,
    count: int,
    utterances: Sequence[int] = range(UTTERANCES),
) -> tuple[list[Choice], Step, Any]:
    """Some steps on, each with other log-probabilities."""
    seen: list[Choice] = []
    logprobs = probe.logits[_rows_of(utterances, built.width)]
    for _ in range(count):
        choice, state = built.advance(logprobs.roll(int(step.index), dims=1), step, state)
        seen.append(Choice(*(each.clone() for each in choice)))
        step = step.select(choice.parents)
        step.append(choice.tokens)
    return seen, step, state


def _choice(built: Any, probe: Probe) -> Iterator[str]:
    rows = UTTERANCES * built.width
    step, state = _begin(built, probe)
    yield from state_rows(state, rows)
    choice, after = built.advance(probe.logits.clone(), step, state)
    if any(each.shape != (rows,) for each in choice) or choice.finished.dtype != torch.bool:
        yield f"advance() returns other shapes than one token, parent and flag a row ({probe.name})"
        return
    if choice.tokens.dtype != torch.int64 or choice.parents.dtype != torch.int64:
        yield f"tokens and parents aren't int64 ({probe.name})"
        return
    if bool(((choice.tokens < 0) | (choice.tokens >= probe.size)).any()):
        yield f"it chooses ids that don't exist ({probe.name})"
    if not torch.equal(choice.parents // built.width, torch.arange(rows) // built.width):
        yield f"a hypothesis continues another utterance's ({probe.name})"
    yield from state_rows(after, rows)


def _nothing_else(built: Any, stage: str) -> Iterator[str]:
    """Behind a filter that left a token or two and the stop token, no utterance ends because nothing else is left."""
    for one, stop in nearly_nothing(stage):
        probe = _repeated(one, built.width)
        step = probe.step(stop_token=stop)
        state = built.init(UTTERANCES, context(probe, step))
        for _ in range(2 * built.width + 2):
            choice, state = built.advance(probe.logits.clone(), step, state)
            over = choice.finished.view(UTTERANCES, -1).all(1)
            if bool(over.any()) or bool((choice.tokens.view(UTTERANCES, -1)[:, 0] == stop).any()):
                yield f"it ends on an improbable stop token where a filter left it little else ({probe.name})"
                return
            step = step.select(choice.parents)
            step.append(choice.tokens)


def _purity(built: Any, probe: Probe) -> Iterator[str]:
    step, state = _begin(built, probe)
    logprobs, held, before = probe.logits.clone(), frozen(built), states.snapshot(step)
    kept = states.snapshot(state)
    first, _ = built.advance(logprobs, step, state)
    again, _ = built.advance(logprobs.clone(), step, kept)
    if not all(map(torch.equal, first, again)):
        yield "advanced twice from the same, it chooses otherwise: take noise from step.uniform(label)"
    if not torch.equal(logprobs, probe.logits):
        yield "it writes to the log-probabilities it is given"
    if not all(map(torch.equal, states.tensors(step), states.tensors(before))):
        yield "advance() writes to the step"
    if frozen(built) != held:
        yield "the object changes while it works: what changes belongs into the state"


def _utterances(built: Any, probe: Probe) -> Iterator[str]:
    """An utterance gets what it gets alone, wherever in the batch it stands."""
    whole, _, _ = _follow(built, probe, *_begin(built, probe), _STEPS)
    for order in [*([each] for each in range(UTTERANCES)), list(reversed(range(UTTERANCES)))]:
        part, _, _ = _follow(built, probe, *_begin(built, probe, order), _STEPS, order)
        rows = _rows_of(order, built.width)
        for got, expected in zip(part, whole, strict=True):
            parents = got.parents % built.width, expected.parents[rows] % built.width
            if not (torch.equal(got.tokens, expected.tokens[rows]) and torch.equal(*parents)):
                what = "an utterance alone chooses" if len(order) == 1 else "permuted utterances choose"
                yield f"{what} otherwise than in the batch ({probe.name})"
                return


def _removed(built: Any, probe: Probe) -> Iterator[str]:
    """With half of the tokens removed, hypotheses that go on take from the others."""
    low = probe.size // 2
    gone = torch.arange(probe.size) < low
    half = replace(probe, logits=torch.log_softmax(probe.logits.masked_fill(gone, NEVER), -1))
    choice, _ = built.advance(half.logits, *_begin(built, half))
    if bool(((choice.tokens < low) & ~choice.finished).any()):
        yield f"it chooses removed tokens ({probe.name})"


def _rollback(built: Any, probe: Probe) -> Iterator[str]:
    _, step, state = _follow(built, probe, *_begin(built, probe), 2)
    marked, kept = states.snapshot(step), states.snapshot(state)
    first, _, _ = _follow(built, probe, step, state, 2)
    again, _, _ = _follow(built, probe, marked, kept, 2)
    pairs = [pair for left, right in zip(first, again, strict=True) for pair in zip(left, right, strict=True)]
    if not all(torch.equal(*pair) for pair in pairs):
        yield "rolled back and replayed, it chooses otherwise"


def _without_sync(built: Any, probe: Probe) -> Iterator[str]:
    class Started:
        """Stands in for what has a state of its own: the search's is fresh here."""

        def init(self, rows: int, ctx: Any) -> Any:
            return None

    def call(_: Any, logits: Tensor, step: Step, state: Any) -> None:
        fresh = built.init(UTTERANCES, context(replace(probe, logits=logits), step))
        built.advance(logits, step, fresh)

    step, state = _begin(built, probe)
    yield from unsynced(lambda: built.advance(probe.logits, step, state))
    yield from on_meta(Started(), probe, call)
    yield from on_cuda(Started(), probe, call)
