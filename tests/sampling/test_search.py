"""A selector with state, a search, and a trace, on toy models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext, UsageError
from vall_e_core.sampling import Choice, StateContext, StatelessSelector, Step, take_maximum
from vall_e_core.sampling.running import Chain, ChainState, compile_chain
from vall_e_core.testing import SamplerLike, as_sampler

GONE = float("-inf")


def build(*samplers: SamplerLike, stage: str = "ar") -> Chain:
    return compile_chain([as_sampler(each) for each in samplers], stage).build(BuildContext())


@dataclass
class Sums:
    """A selector's state: what it has seen, a row each."""

    total: Tensor


class Counting(StatelessSelector):
    """Greedy, and adds up the tokens it accepted."""

    def init(self, rows: int, ctx: StateContext) -> Sums:  # type: ignore[override]
        return Sums(torch.zeros(rows, dtype=torch.long))

    def select(self, logits: Tensor, step: Step, state: Sums) -> Tensor:  # type: ignore[override]
        return take_maximum(logits)

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: Sums) -> Sums:  # type: ignore[override]
        return Sums(state.total + tokens)


class Beam:
    """A plain beam search over log-probability sums, as small as it can be."""

    def __init__(self, width: int) -> None:
        self.width = width

    def init(self, utterances: int, ctx: StateContext) -> Tensor:
        scores = torch.full((utterances, self.width), GONE)
        scores[:, 0] = 0
        return scores.reshape(-1)

    def advance(self, logprobs: Tensor, step: Step, state: Tensor) -> tuple[Choice, Tensor]:
        size = logprobs.shape[1]
        total = (state.unsqueeze(1) + logprobs).reshape(-1, self.width * size)
        best = total.topk(self.width, dim=1)
        first = torch.arange(total.shape[0]).unsqueeze(1) * self.width
        parents = (first + best.indices // size).reshape(-1)
        tokens = (best.indices % size).reshape(-1)
        return Choice(tokens, parents, torch.zeros_like(tokens, dtype=torch.bool)), best.values.reshape(-1)


def beam_tokens(chain: Chain, table: Tensor, utterances: int, length: int) -> tuple[Tensor, ChainState]:
    """Histories [U * W, S] of a toy model: the logits [V] after token t are table[t]."""
    rows = utterances * chain.width
    step = Step.start([u for u in range(utterances) for _ in range(chain.width)], capacity=length)
    state = chain.init(rows, step)
    last = torch.zeros(rows, dtype=torch.long)
    for _ in range(length):
        choice, state = chain.advance(chain.process(table[last], step, state), step, state)
        step = step.select(choice.parents)
        state = chain.accept(choice.tokens, step, state)
        step.append(choice.tokens)
        last = choice.tokens
    return step.history, state


def test_a_search_as_wide_as_all_sequences_finds_the_best_one_and_state_follows_its_hypothesis() -> None:
    table = torch.randn(3, 3, generator=torch.Generator().manual_seed(4)) * 2
    chain = Chain([], Counting(), Beam(27))
    found, state = beam_tokens(chain, table, 2, 3)
    logprobs = torch.log_softmax(table, -1)
    every = {(a, b, c): float(logprobs[0, a] + logprobs[a, b] + logprobs[b, c])
             for a in range(3) for b in range(3) for c in range(3)}  # fmt: skip
    assert tuple(found[0].tolist()) == tuple(found[27].tolist()) == max(every, key=lambda key: every[key])
    assert torch.equal(state.selector.total, found.sum(1))


def test_a_search_of_width_one_is_greedy() -> None:
    table = torch.randn(5, 5, generator=torch.Generator().manual_seed(5))
    found, _ = beam_tokens(Chain([], None, Beam(1)), table, 1, 6)
    token, expected = 0, []
    for _ in range(6):
        token = int(table[token].argmax())
        expected.append(token)
    assert found[0].tolist() == expected


def test_advancing_without_a_search_is_an_error() -> None:
    chain = build("multinomial")
    step = Step.start([0])
    with pytest.raises(UsageError, match="no search"):
        chain.advance(torch.zeros(1, 3), step, chain.init(1, step))


class Seen:
    """A trace that only notes."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.tokens: list[int] = []

    def begin(self, logits: Tensor, step: Step) -> None:
        self.begun = int((logits > GONE).sum())

    def stage(self, name: str, before: Tensor, after: Tensor, step: Step) -> None:
        self.stages.append((name, int((before > GONE).sum()), int((after > GONE).sum())))

    def choice(
        self, logits: Tensor, tokens: Tensor, step: Step, parents: Tensor | None, details: Mapping[str, Tensor]
    ) -> None:
        self.tokens += tokens.tolist()


def test_a_trace_sees_every_stage_and_the_choice() -> None:
    seen = Seen()
    chain = build("top-k:5", "temperature:0.5", "greedy").watched(seen)
    logits = torch.arange(9.0).unsqueeze(0)
    step = Step.start([0])
    state = chain.init(1, step)
    tokens = chain.select(chain.process(logits, step, state), step, state)
    assert seen.stages == [("protection", 9, 9)]  # both leave the maximum where it is, and greedy takes it
    chain = build("top-k:5", "temperature:0.5").watched(seen)
    seen.stages.clear()
    tokens = chain.select(chain.process(logits, step, state := chain.init(1, step)), step, state)
    assert seen.begun == 9 and seen.stages == [("top-k", 9, 5), ("temperature", 5, 5), ("protection", 5, 5)]
    assert seen.tokens == [8, int(tokens[0])]
    assert chain.watched(None).trace is None
