"""The chain at work: protection, degenerate rows, batches, roll-back, a search, traces."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from vall_e_core import (
    BuildContext,
    Chain,
    Choice,
    StateContext,
    StatelessSelector,
    StatelessTransform,
    Step,
    UsageError,
    compile_chain,
    take_maximum,
)
from vall_e_core.sampling.chain import ChainState, Stage
from vall_e_core.sampling.sync import NoSync
from vall_e_core.testing import SamplerLike, apply_samplers, as_sampler

GONE = float("-inf")
FULL: list[SamplerLike] = [
    "repetition-penalty:1.3,decay=0.5", "length-penalty", "top-k:40", "top-p:0.9", "min-p:0.05",
    "dynamic-temperature:min=0.4", "multinomial",
]  # fmt: skip


def build(*samplers: SamplerLike, stage: str = "ar") -> Chain:
    return compile_chain([as_sampler(each) for each in samplers], stage).build(BuildContext())


class Ban(StatelessTransform):
    """Removes ids."""

    def __init__(self, *ids: int) -> None:
        self.ids = list(ids)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits.index_fill(1, torch.tensor(self.ids, dtype=torch.long), GONE)


class Break(StatelessTransform):
    """Makes the first logit of every row something else."""

    def __init__(self, value: float) -> None:
        self.value = value

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits.index_fill(1, torch.tensor([0]), self.value)


def process(stages: list[Stage], logits: Tensor, stop: int | None = None) -> tuple[Tensor, ChainState]:
    step = Step.start(range(len(logits)), capacity=4, stop_token=stop)
    chain = Chain(stages)
    state = chain.init(len(logits), step)
    return chain.process(logits, step, state), state


@settings(max_examples=80, deadline=None)
@given(
    row=st.lists(st.integers(-20, 20).map(float), min_size=3, max_size=30),
    data=st.data(),
    sampler=st.sampled_from(["top-k:1", "top-k:3", "top-p:0", "top-p:0.5", "min-p:1", "min-p:0.3"]),
)
def test_filters_neither_remove_the_stop_token_nor_leave_it_alone(
    row: list[float], data: st.DataObject, sampler: str
) -> None:
    stop = data.draw(st.integers(0, len(row) - 1))
    free = apply_samplers([sampler], row)
    kept = apply_samplers([sampler], row, stop_token=stop)
    assert float(kept[stop]) == row[stop]
    others = [i for i in range(len(row)) if i != stop and float(kept[i]) > GONE]
    if any(float(free[i]) > GONE for i in range(len(row)) if i != stop):
        assert others == [i for i in range(len(row)) if i != stop and float(free[i]) > GONE]
    else:  # the best other token comes back, at the odds that the model gave it
        best = max((i for i in range(len(row)) if i != stop), key=lambda i: (row[i], -i))
        assert others == [best] and float(kept[best]) == row[best]


def test_a_starved_stop_token_can_still_be_drawn() -> None:
    """Upstream's filters could put the stop token out of reach for good."""
    row = torch.zeros(1025)
    row[1024] = -8.0
    kept = apply_samplers(["top-k:50", "top-p:0.8", "min-p:0.1", "temperature:0.9"], row, stop_token=1024)
    assert float(kept[1024]) == pytest.approx(-8.0 / 0.9)


def test_a_ban_may_take_the_stop_token() -> None:
    logits = torch.tensor([[3.0, 2.0, 1.0]])
    banned, _ = process([Stage("ban", Ban(0), bans=True)], logits, stop=0)
    assert banned.tolist() == [[GONE, 2.0, 1.0]]
    kept, _ = process([Stage("filter", Ban(0))], logits, stop=0)
    assert kept.tolist() == logits.tolist()


def test_what_is_given_back_beside_the_stop_token_isn_t_banned() -> None:
    logits = torch.tensor([[5.0, 4.0, 3.0, 2.0]])
    stages = [Stage("ban", Ban(1), bans=True, prepares=True), Stage("filter", Ban(1, 2, 3))]
    kept, state = process(stages, logits, stop=0)
    assert kept.tolist() == [[5.0, GONE, 3.0, GONE]]
    assert state.counts() == {"degenerate": [0], "rescued": [1]}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_rows_that_come_broken_go_on_with_what_is_finite(value: float) -> None:
    logits = torch.tensor([[1.0, 4.0, 2.0], [1.0, value, 2.0], [value, value, value], [GONE, GONE, GONE]])
    found, state = process([], logits)
    assert found.tolist() == [[1.0, 4.0, 2.0], [1.0, GONE, 2.0], [0.0, GONE, GONE], [0.0, GONE, GONE]]
    assert state.counts()["degenerate"] == [0, 1, 1, 1]
    protected, _ = process([], logits, stop=2)
    assert protected[2:].tolist() == [[GONE, GONE, 0.0]] * 2  # nothing to go by: the end, not a hang


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_rows_that_a_stage_breaks_fall_back_to_the_most_probable_raw_token(value: float) -> None:
    found, state = process([Stage("broken", Break(value))], torch.tensor([[9.0, 1.0, 2.0]]))
    assert found.tolist() == [[0.0, GONE, GONE]] and state.counts()["degenerate"] == [1]


@pytest.mark.parametrize("stop", [None, 0, 1, 3])
def test_a_chain_that_bans_everything_falls_back_to_the_most_probable_raw_token(stop: int | None) -> None:
    logits = torch.tensor([[1.0, 2.0, 7.0, 7.0], [4.0, 4.0, 0.0, 1.0]])
    found, state = process([Stage("ban", Ban(0, 1, 2, 3), bans=True)], logits, stop)
    assert take_maximum(found).tolist() == [2, 0]
    assert (found > GONE).sum(1).tolist() == [1, 1]
    assert state.counts()["degenerate"] == [1, 1]


def test_half_precision_becomes_float32_and_nothing_is_written_to() -> None:
    logits = torch.randn(3, 50).to(torch.bfloat16)
    before = logits.clone()
    step = Step.start(range(3), capacity=0, stop_token=4)
    chain = build(*FULL)
    found = chain.process(logits, step, chain.init(3, step))
    assert found.dtype == torch.float32 and torch.equal(logits, before)


def speak(chain: Chain, keys: list[int], logits: Tensor, seed: int = 0) -> Tensor:
    """Tokens [N, S] for logits [S, K, V], of which utterance k takes [:, k]."""
    step = Step.start(keys, seed=seed, capacity=len(logits), stop_token=64)
    state = chain.init(len(keys), step)
    for each in logits:
        processed = chain.process(each[keys], step, state)
        tokens = chain.select(processed, step, state)
        state = chain.accept(tokens, step, state)
        step.append(tokens)
    return step.history


def test_an_utterance_sounds_the_same_in_any_batch() -> None:
    logits = torch.randn(30, 6, 65, generator=torch.Generator().manual_seed(1)) * 2
    chain = build(*FULL)
    whole = speak(chain, [0, 1, 2, 3, 4, 5], logits)
    for keys in ([3], [5, 4, 3, 2, 1, 0], [2, 0]):
        assert torch.equal(speak(chain, keys, logits), whole[keys])
    assert not torch.equal(speak(chain, [0], logits, seed=1), whole[[0]])


def test_one_chain_serves_several_runs_at_once() -> None:
    logits = torch.randn(10, 2, 65, generator=torch.Generator().manual_seed(2))
    chain = build(*FULL)
    alone = speak(chain, [0, 1], logits)
    speak(chain, [1, 1], logits, seed=9)
    assert torch.equal(speak(chain, [0, 1], logits), alone)


def test_nothing_in_a_step_waits_for_the_device() -> None:
    chain = build(*FULL)
    step = Step.start(range(3), capacity=9, stop_token=64, prefixes=[torch.tensor([1, 2]), None, torch.tensor([5])])
    state = chain.init(3, step)
    logits = torch.randn(3, 65)
    with NoSync():
        for _ in range(3):
            processed = chain.process(logits, step, state)
            tokens = chain.select(processed, step, state)
            state = chain.accept(tokens, step, state)
            step.append(tokens)


def test_rolling_back_repeats_the_draws() -> None:
    logits = torch.randn(8, 4, 65, generator=torch.Generator().manual_seed(3))
    chain = build(*FULL)
    step = Step.start(range(4), capacity=8, stop_token=64)
    state = chain.init(4, step)

    def go(step: Step, state: ChainState) -> list[list[int]]:
        seen = []
        for each in logits[4:]:
            tokens = chain.select(chain.process(each, step, state), step, state)
            state = chain.accept(tokens, step, state)
            step.append(tokens)
            seen.append(tokens.tolist())
        return seen

    from vall_e_core.sampling.state import snapshot

    kept_step, kept_state = snapshot(step), state.snapshot()
    first = go(step, state)
    assert go(kept_step, kept_state) == first


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

    def stage(self, name: str, before: Tensor, after: Tensor, step: Step) -> None:
        self.stages.append((name, int((before > GONE).sum()), int((after > GONE).sum())))

    def choice(self, logits: Tensor, tokens: Tensor, step: Step) -> None:
        self.tokens += tokens.tolist()


def test_a_trace_sees_every_stage_and_the_choice() -> None:
    chain, seen = build("top-k:5", "temperature:0.5", "greedy"), Seen()
    logits = torch.arange(9.0).unsqueeze(0)
    step = Step.start([0])
    state = chain.init(1, step)
    tokens = chain.select(chain.process(logits, step, state, seen), step, state, seen)
    assert seen.stages == []  # both leave the maximum where it is, and greedy takes it: nothing to do
    chain = build("top-k:5", "temperature:0.5")
    tokens = chain.select(chain.process(logits, step, state := chain.init(1, step), seen), step, state, seen)
    assert seen.stages == [("top-k", 9, 5), ("temperature", 5, 5)]
    assert seen.tokens == [8, int(tokens[0])]
