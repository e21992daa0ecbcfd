"""`adaptive-p` and `ras` beyond their vectors: laws, the stop token, rows, beams, degenerate inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import apply_samplers, as_sampler, sampler_steps, select_token

from .searching import search, table

GONE = float("-inf")
SPECS = ["ras", "ras:4,threshold=0.5,mask-before-resample=false", "ras:6,top-p=1,top-k=0", "adaptive-p:0.3",
         "adaptive-p:1,decay=0", "adaptive-p:0,decay=1"]  # fmt: skip


def chain_of(*specs: str) -> Chain:
    return compile_chain([as_sampler(spec) for spec in specs], "ar").build(BuildContext())


def follow(chain: Chain, sequences: Tensor, rows: list[int]) -> Tensor:
    """Tokens [S, N] of some rows of logits [S, R, V]."""
    step = Step.start(rows, capacity=len(sequences))
    state = chain.init(len(rows), step)
    for logits in sequences:
        tokens = chain.select(chain.process(logits[rows], step, state), step, state)
        state = chain.accept(tokens, step, state)
        step.append(tokens)
    return step.history.T


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_is_its_rows_in_any_order(spec: str) -> None:
    sequences = torch.randn(15, 8, 12, generator=torch.Generator().manual_seed(2)) * 2
    chain = chain_of(spec)
    whole = follow(chain, sequences, list(range(8)))
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    assert torch.equal(follow(chain, sequences, order), whole[:, order])
    assert all(torch.equal(follow(chain, sequences, [row])[:, 0], whole[:, row]) for row in range(8))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "row", [torch.tensor([1.0]), torch.full((6,), GONE), torch.tensor([GONE, 1.0, GONE]), torch.zeros(7),
            torch.tensor([900.0, -900.0, 0.0])], ids=["V = 1", "nothing", "one token", "alike", "steep"],
)  # fmt: skip
def test_degenerate_rows_have_a_finite_outcome(spec: str, row: Tensor) -> None:
    chain = chain_of(spec)
    step = Step.start([0], capacity=12)
    state = chain.init(1, step)
    for _ in range(12):
        processed = chain.process(row.unsqueeze(0), step, state)
        support = chain.selector.support(processed, step, state.selector)
        assert bool((support > GONE).any()) and not bool(support.isnan().any())
        tokens = chain.select(processed, step, state)
        assert bool(processed[0, tokens[0]] > GONE)
        state = chain.accept(tokens, step, state)
        step.append(tokens)


@pytest.mark.parametrize("spec", ["ras:4,threshold=0.5", "ras:4,threshold=0.5,mask-before-resample=false", "ras:3"])
def test_what_a_beam_takes_as_ras_is_the_law_of_its_two_draws(spec: str) -> None:
    row = torch.tensor([2.0, 1.5, 1.0, 0.5, GONE, -1.0])
    history = [0, 1, 0, 3, 0, 1]
    count = 40_000
    chain = chain_of(spec + ",top-p=0.7,top-k=3" if spec != "ras:3" else "ras:3,top-p=0.7,top-k=3")
    step = Step.start(range(count), capacity=6, prefixes=[torch.tensor(history)] * count)
    state = chain.init(count, step)
    tokens = chain.select(chain.process(row.repeat(count, 1), step, state), step, state)
    drawn = torch.bincount(tokens, minlength=6) / count
    told = apply_samplers([as_sampler(spec + ",top-p=0.7,top-k=3")], row, history).softmax(-1)
    assert torch.allclose(drawn, told, atol=0.01) and drawn[4] == told[4] == 0


def test_ras_counts_in_its_window_alone_and_from_its_threshold_on() -> None:
    row = torch.tensor([9.0, 0.0, 0.0, 0.0])
    for history, again in (([], False), ([0], True), ([0] + [1] * 10, False), ([0] + [1] * 9, True)):
        token, details = select_token("ras", row, history, uniforms=[0.5, 0.5])
        assert details["resampled"] is again and (token != 0) is again
    for history, again in (([0, 0, 1], False), ([0, 0, 0], True)):
        assert select_token("ras:10,threshold=0.3", row, history, [0.5, 0.5])[1]["resampled"] is again


def test_ras_never_brings_back_what_a_filter_removed_and_can_always_stop() -> None:
    row = torch.tensor([5.0, 4.0, 3.0, -9.0])
    chain = [as_sampler("top-k:2"), as_sampler("ras:10,top-p=0,top-k=1")]
    kept = apply_samplers(chain, row, [0])
    assert (kept > GONE).tolist() == [False, True, False, False]
    assert bool(apply_samplers([as_sampler("ras:10,top-p=0,top-k=1")], row, stop_token=3)[3] > GONE)


@pytest.mark.parametrize("mask", ["true", "false"])
def test_behind_a_filter_ras_never_stops_because_nothing_else_is_left(mask: str) -> None:
    row = torch.tensor([5.0, 1.0, 0.5, -9.0])
    spec = f"ras:10,mask-before-resample={mask}"
    for uniform in (0.001, 0.5, 0.999):
        token, details = select_token(["top-k:1", spec], row, [0] * 10, [0.5, uniform], stop_token=3)
        assert token == 0 and details["resampled"] is (mask == "false")
    law = apply_samplers(["top-k:1", as_sampler(spec)], row, [0] * 10, stop_token=3).softmax(-1)
    assert float(law[0]) > 0.99 and 0 < float(law[3]) < 1e-5
    assert select_token(["top-k:2", spec], row, [0] * 10, [0.5, 0.5], stop_token=3)[0] == (1 if mask == "true" else 0)


def test_adaptive_p_makes_up_for_what_was_drawn() -> None:
    rows = torch.tensor([[0.6, 0.3, 0.1]]).log().repeat(3, 1)
    high = sampler_steps("adaptive-p:0.4,decay=0.5", rows, [0, 0, 0])
    low = sampler_steps("adaptive-p:0.4,decay=0.5", rows, [2, 2, 2])
    assert [each["target_now"] for each in high] == pytest.approx([0.4, 0.3, 0.25], abs=1e-6)
    assert [each["target_now"] for each in low] == pytest.approx([0.4, 0.55, 0.625], abs=1e-6)


def test_adaptive_p_leaves_the_stop_token_its_probability() -> None:
    for logits in ([0.3, 0.1, 2.0, -1.0], [0.3, GONE, 9.0, -40.0], [GONE, GONE, 1.0, GONE], [0.0, 0.0, GONE, 0.0]):
        row = torch.tensor(logits)
        before, after = row.softmax(-1), apply_samplers(["adaptive-p:0.3"], row, stop_token=2).softmax(-1)
        assert float(after[2]) == pytest.approx(float(before[2]), abs=1e-6)
        assert torch.equal(after > 0, before > 0)


def test_under_a_beam_the_mean_is_that_of_the_row_s_own_history() -> None:
    models = [table(seed, 20, 2.0) for seed in (1, 2)]
    _, state, step = search(chain_of("adaptive-p:0.4,decay=0.6", "beam:3"), models, 8)
    for row in range(6):
        tokens = step.history[row].tolist()
        logits = models[row // 3][torch.tensor([-1, *tokens[:-1]])]
        reports = sampler_steps("adaptive-p:0.4,decay=0.6", logits, tokens)
        assert float(state.selector.mean[row]) == pytest.approx(float(reports[-1]["state"].mean[0]), abs=1e-5)
    assert len(set(state.selector.mean[:3].tolist())) > 1


def test_a_beam_over_ras_avoids_what_repeats() -> None:
    model = torch.full((6, 5), 0.0)
    model[:, 2] = 3.0  # the beam alone says nothing but 2
    assert search(chain_of("beam:3"), [model], 6)[0] == [[2] * 6]
    (found,), _, _ = search(chain_of("ras:1,top-p=0.5", "beam:3"), [model], 6)
    assert found[::2] == [2] * 3 and 2 not in found[1::2]
