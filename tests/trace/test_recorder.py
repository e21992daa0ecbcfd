"""The numbers of a trace against slow references, and when they are reckoned."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vall_e_authoring import NoSync
from vall_e_core import BuildContext
from vall_e_core.sampling import StatelessSelector, Step
from vall_e_core.sampling.running import Chain, Stage, compile_chain
from vall_e_core.testing import SamplerLike, as_sampler
from vall_e_trace import TraceRecorder, traced_steps
from vall_e_trace.values import TracedStage, TracedStep

STOP = 8


def build(*samplers: SamplerLike) -> Chain:
    return compile_chain([as_sampler(each) for each in samplers], "ar").build(BuildContext(stop_token=STOP))


def run(chain: Chain, logits: Sequence[Tensor], stop: int | None = STOP) -> list[TracedStep]:
    """Steps of logits [N, V] each, with a recorder watching."""
    recorder = TraceRecorder("draw")
    watched = chain.watched(recorder)
    step = Step.start(range(len(logits[0])), capacity=len(logits), stop_token=stop)
    state = watched.init(len(logits[0]), step)
    for each in logits:
        tokens = watched.select(watched.process(each, step, state), step, state)
        state = watched.accept(tokens, step, state)
        step.append(tokens)
    return traced_steps(recorder.fetch())


def softmax(row: Sequence[float]) -> list[float]:
    total = sum(math.exp(each) for each in row)
    return [math.exp(each) / total for each in row]


def slow(name: str, row: Sequence[float], before: Sequence[float] | None, token: int) -> TracedStage:
    """What `measure` reckons, for one row, in Python's own numbers."""
    p = softmax(row)
    q = None if before is None else softmax(before)
    kl = None if q is None else sum(a * math.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0)
    return TracedStage(
        name, sum(each > -math.inf for each in row), -sum(each * math.log2(each) for each in p if each > 0), kl,
        p[STOP], p[token], 1 + sum(each > row[token] for each in row),
    )  # fmt: skip


def test_every_number_of_a_step_against_a_slow_reference() -> None:
    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(3)) * 2
    logits[0, 4] = float("-inf")
    (step,) = run(build("top-k:5", "temperature:0.5"), [logits])
    row = logits[0].tolist()
    fifth = sorted(row)[-5]
    kept = [each if each >= fifth or at == STOP else -math.inf for at, each in enumerate(row)]
    sharp = [each * 2 for each in kept]
    token = step.token
    expected = [
        slow("model", row, None, token), slow("top-k", kept, row, token), slow("temperature", sharp, kept, token),
        slow("protection", sharp, sharp, token), slow("draw", sharp, sharp, token),
    ]  # fmt: skip
    assert [each.name for each in step.stages] == [each.name for each in expected]
    for found, wanted in zip(step.stages, expected, strict=True):
        assert (found.kept, found.rank) == (wanted.kept, wanted.rank)
        for key in ("entropy", "kl", "p_stop", "p"):
            value, reference = getattr(found, key), getattr(wanted, key)
            assert (value is None) == (reference is None)
            assert value is None or value == pytest.approx(reference, rel=2e-5, abs=1e-6), (found.name, key)


def test_what_isn_t_defined_is_none() -> None:
    row = torch.full((1, 12), float("-inf"))
    row[0, STOP], row[0, 2] = 1.0, 0.0
    (step,) = run(build("top-k:1"), [row])  # the core gives back the best other token
    model, top_k, protection, draw = step.stages
    assert (model.kept, top_k.kept, protection.kept, draw.kept) == (2, 1, 2, 2)
    assert model.kl is None and top_k.kl is not None and protection.kl is None and draw.kl == 0
    assert top_k.rank == (1 if step.token == STOP else None)
    (step,) = run(build("top-k:3"), [torch.randn(1, 12)], stop=None)
    assert all(each.p_stop is None for each in step.stages)
    broken = torch.full((1, 12), float("-inf"))
    (step,) = run(build("top-k:3"), [broken], stop=None)
    assert step.stages[0] == TracedStage("model", 0, None, None, None, None, None)
    assert step.stages[-1].kept == 1


def test_the_selectors_own_truncation_and_numbers_are_seen() -> None:
    (step,) = run(build("mirostat:2"), [torch.randn(1, 64) * 3])
    assert step.stages[-1].kept < step.stages[-2].kept == 64
    assert {"k", "surprise", "mu_before", "mu_after"} <= set(step.details)
    assert step.details["mu_before"] == pytest.approx(4.0)


def test_a_sequence_ends_at_its_stop_token_or_its_limit() -> None:
    stop = torch.full((2, 12), 0.0)
    stop[0, STOP] = 50.0
    going = torch.zeros(2, 12)
    going[:, STOP] = -50.0
    recorder = TraceRecorder()
    chain = build("multinomial").watched(recorder)
    step = Step.start([3, 4], capacity=4, stop_token=STOP)
    state = chain.init(2, step)
    stop[1, STOP] = -50.0
    for each in (going, stop, going, going):
        tokens = chain.select(chain.process(each, step, state), step, state)
        state = chain.accept(tokens, step, state)
        step.append(tokens)
    steps = traced_steps(recorder.fetch(), {3: 4, 4: 3})
    assert [each.step for each in steps if each.key == 3] == [0, 1]
    assert [each.step for each in steps if each.key == 4] == [0, 1, 2]


def test_of_a_search_the_hypothesis_that_won_is_followed_back() -> None:
    made = torch.Generator().manual_seed(5)
    table = torch.randn(16, 16, generator=made) * 2
    recorder = TraceRecorder("beam")
    chain = compile_chain([as_sampler("top-k:6"), as_sampler("multinomial"), as_sampler("beam:3")], "ar")
    watched = chain.build(BuildContext()).watched(recorder)
    step = Step.start([7] * 3 + [9] * 3, capacity=10)
    state = watched.init(6, step)
    last = torch.tensor([0, 0, 0, 5, 5, 5])
    moved = 0
    for _ in range(10):
        choice, state = watched.advance(watched.process(table[last], step, state), step, state)
        step = step.select(choice.parents)
        state = watched.accept(choice.tokens, step, state)
        step.append(choice.tokens)
        last = choice.tokens
        moved += int((choice.parents != torch.arange(6)).sum())
    assert moved > 0
    steps = traced_steps(recorder.fetch())
    for key, row in ((7, 0), (9, 3)):
        mine = [each for each in steps if each.key == key]
        assert [each.token for each in mine] == step.history[row].tolist()
        before = [0 if key == 7 else 5, *(each.token for each in mine)]
        for each, previous in zip(mine, before, strict=False):
            wanted = torch.softmax(table[previous], -1)[each.token]
            assert each.stages[0].p == pytest.approx(float(wanted), rel=1e-4)


def test_nothing_waits_for_the_device_until_the_end() -> None:
    recorder = TraceRecorder()
    chain = build("repetition-penalty:1.2", "top-k:5", "temperature:0.5").watched(recorder)
    step = Step.start(range(3), capacity=4, stop_token=STOP)
    state = chain.init(3, step)
    logits = torch.randn(3, 12)
    with NoSync():
        tokens = chain.select(chain.process(logits, step, state), step, state)
        chain.accept(tokens, step, state)
    assert len(recorder.events) == 1 and len(traced_steps(recorder.fetch())) == 3


def test_without_a_trace_nothing_is_reckoned_for_one() -> None:
    class Touchy(StatelessSelector):
        def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
            raise AssertionError("only a trace or a search asks for it")

        def details(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> dict[str, Tensor]:
            raise AssertionError("only a trace asks for it")

    plain = build("top-k:5")
    stages = [Stage(each.name, each.transform) for each in plain.stages]
    chain = Chain(stages, Touchy())
    step = Step.start(range(2), capacity=1)
    state = chain.init(2, step)
    chain.select(chain.process(torch.randn(2, 12), step, state), step, state)
    with pytest.raises(AssertionError, match="only a trace"):
        chain.watched(TraceRecorder()).select(torch.randn(2, 12), step, state)


def test_an_empty_run_has_no_steps() -> None:
    assert traced_steps(TraceRecorder().fetch()) == []
