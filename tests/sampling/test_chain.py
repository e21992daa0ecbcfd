"""The chain at work: protection, degenerate rows, batches, roll-back, a search, traces."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from vall_e_authoring import NoSync
from vall_e_core import BuildContext, PluginError
from vall_e_core.sampling import StatelessTransform, Step, take_maximum
from vall_e_core.sampling.running import Chain, ChainState, Stage, compile_chain
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
def test_rows_that_a_stage_breaks_end_the_run_with_its_name(value: float) -> None:
    with pytest.raises(PluginError, match="the sampler broken gave NaN or \\+inf"):
        process([Stage("broken", Break(value))], torch.tensor([[9.0, 1.0, 2.0]]))


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
