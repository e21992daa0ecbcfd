"""`mirostat`: its formulas against slow ones, rows, beams, and inputs on which the formulas break down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import StateContext, Step
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import apply_samplers, as_sampler, sampler_steps

from .oracles import ranked, softmax
from .searching import search, table

GONE = float("-inf")
VARIANTS = [
    "mirostat:3", "mirostat:3,variant=llama.cpp", "mirostat:3,version=2", "mirostat:3,version=2,variant=llama.cpp",
]  # fmt: skip


def chain_of(*specs: str) -> Chain:
    return compile_chain([as_sampler(spec) for spec in specs], "ar").build(BuildContext())


def zipf_count(row: Sequence[float], mu: float, ratios: int) -> float:
    """k of version 1, from the formulas."""
    q = sorted(softmax(row), reverse=True)[:ratios]
    t = [math.log((i + 2) / (i + 1)) for i in range(len(q) - 1)]
    b = [math.log(high / low) for high, low in pairwise(q)]
    s = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
    epsilon = s - 1
    return float(((epsilon * 2**mu) / (1 - len(row) ** -epsilon)) ** (1 / s))


@pytest.mark.parametrize("size", [3, 17, 60, 500])
def test_version_one_keeps_as_many_as_the_formula_says(size: int) -> None:
    rows = torch.randn(20, size, generator=torch.Generator().manual_seed(size)) * 2
    for row in rows:
        values = row.tolist()
        for spec, m in (("mirostat:2.5", 101), ("mirostat:2.5,variant=llama.cpp", 100)):
            wished = zipf_count(values, 5.0, m)
            k = round(wished) + 1 if m == 101 else max(1, int(wished))
            if abs(wished - round(wished)) < 1e-3 or abs(wished % 1 - 0.5) < 1e-3:
                continue
            kept = apply_samplers([as_sampler(spec)], row) > GONE
            assert sorted(kept.nonzero()[:, 0].tolist()) == sorted(ranked(values)[: min(k, size)])


def test_version_two_keeps_what_surprises_no_more_than_mu() -> None:
    row = torch.tensor([0.5, 0.25, 0.15, 0.0999, 0.0001]).log()
    assert (apply_samplers([as_sampler("mirostat:1.01,version=2")], row) > GONE).tolist() == [True, True] + [False] * 3
    assert (apply_samplers([as_sampler("mirostat:0.1,version=2")], row) > GONE).tolist() == [True] + [False] * 4


def test_mu_moves_by_the_surprise_that_each_variant_means() -> None:
    row = torch.tensor([0.5, 0.25, 0.15, 0.0999, 0.0001]).log().unsqueeze(0)
    (paper,) = sampler_steps("mirostat:1.5,eta=0.5", row, [1])
    assert paper["surprise"] == pytest.approx(2.0, abs=1e-5) and paper["mu_before"] == 3.0
    assert paper["mu_after"] == pytest.approx(3 - 0.5 * (2 - 1.5), abs=1e-5)
    (kept,) = sampler_steps("mirostat:1.01,version=2", row, [1])
    assert kept["surprise"] == pytest.approx(-math.log2(0.25 / 0.75), abs=1e-5)


@pytest.mark.parametrize("spec", VARIANTS)
def test_mean_surprise_comes_near_the_target(spec: str) -> None:
    logits = torch.log(1 / torch.arange(1, 401).float() ** 1.1).unsqueeze(0).repeat(16, 1)
    chain = chain_of(f"{spec},eta=0.2")
    step = Step.start(range(16), capacity=150)
    state, seen = chain.init(16, step), []
    for _ in range(150):
        processed = chain.process(logits, step, state)
        tokens = chain.select(processed, step, state)
        before = state.selector.mu
        state = chain.accept(tokens, step, state)
        seen.append(3 - (state.selector.mu - before) / 0.2)
        step.append(tokens)
    assert float(torch.stack(seen[20:]).mean()) == pytest.approx(3.0, abs=0.4)


def follow(chain: Chain, sequences: Tensor, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Tokens [S, N] and μ [S, N] of some rows of logits [S, R, V]."""
    step = Step.start(list(rows), capacity=len(sequences))
    state = chain.init(len(rows), step)
    tokens, mus = [], []
    for logits in sequences:
        chosen = chain.select(chain.process(logits[list(rows)], step, state), step, state)
        state = chain.accept(chosen, step, state)
        step.append(chosen)
        tokens.append(chosen)
        mus.append(state.selector.mu)
    return torch.stack(tokens), torch.stack(mus)


@pytest.mark.parametrize("spec", VARIANTS)
def test_a_batch_is_its_rows_in_any_order(spec: str) -> None:
    sequences = torch.randn(12, 8, 300, generator=torch.Generator().manual_seed(1)) * 3
    chain = chain_of(spec)
    tokens, mus = follow(chain, sequences, range(8))
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    moved, moved_mus = follow(chain, sequences, order)
    assert torch.equal(moved, tokens[:, order]) and torch.allclose(moved_mus, mus[:, order], atol=1e-5)
    for row in range(8):
        alone, own = follow(chain, sequences, [row])
        assert torch.equal(alone[:, 0], tokens[:, row]) and torch.allclose(own[:, 0], mus[:, row], atol=1e-5)
    assert not torch.allclose(mus[-1, 0], mus[-1, 1:])


@pytest.mark.parametrize("spec", VARIANTS)
def test_under_a_beam_mu_is_that_of_the_row_s_own_history(spec: str) -> None:
    models = [table(seed, 30, 2.5) for seed in (1, 2, 3)]
    chain = chain_of(f"{spec},eta=0.7", "beam:4")
    _, state, step = search(chain, models, 10)
    for row in range(12):
        tokens = step.history[row].tolist()
        logits = models[row // 4][torch.tensor([-1, *tokens[:-1]])]
        reports = sampler_steps(f"{spec},eta=0.7", logits, tokens)
        assert float(state.selector.mu[row]) == pytest.approx(reports[-1]["mu_after"], abs=1e-3)
        assert all(report["logits"][token] > GONE for report, token in zip(reports, tokens, strict=True))
    assert len(set(state.selector.mu[:4].tolist())) > 1


def test_a_beam_of_one_over_mirostat_is_greedy() -> None:
    model = table(4, 20)
    with_it, _, _ = search(chain_of("mirostat:2", "beam:1"), [model], 12)
    without, _, _ = search(chain_of("beam:1"), [model], 12)
    assert with_it == without


BROKEN = {
    "removed": torch.cat((torch.arange(3.0), torch.full((60,), GONE))), "one token": torch.tensor([GONE, 2.0, GONE]),
    "V = 1": torch.tensor([3.0]), "V = 2": torch.tensor([0.0, 1.0]), "alike": torch.zeros(40),
    "steep": -200.0 * torch.arange(50.0), "huge": torch.tensor([3e38, -3e38, 0.0, 1e30]),
    "Zipf with exponent 1": -torch.arange(1, 200).float().log(), "nothing": torch.full((9,), GONE),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("spec", [*VARIANTS, "mirostat:0.001", "mirostat:40,eta=9", "mirostat:3,m=2,n=2"])
@pytest.mark.parametrize("name", BROKEN)
def test_where_the_formula_breaks_down_the_outcome_is_finite(name: str, spec: str) -> None:
    row = BROKEN[name]
    chain = chain_of(spec)
    step = Step.start([0], capacity=40)
    state = chain.init(1, step)
    for _ in range(40):
        processed = chain.process(row.unsqueeze(0), step, state)
        assert bool((chain.selector.support(processed, step, state.selector) > GONE).any())
        tokens = chain.select(processed, step, state)
        assert bool(processed[0, tokens[0]] > GONE)
        state = chain.accept(tokens, step, state)
        assert bool(state.selector.mu.isfinite().all())
        step.append(tokens)


def test_the_selector_alone_survives_rows_without_tokens_and_tokens_that_are_impossible() -> None:
    selector = as_sampler("mirostat:3").build(BuildContext())
    state = selector.init(2, StateContext(torch.device("cpu"), 5, 0))
    logits = torch.stack((torch.full((5,), GONE), torch.tensor([1.0, GONE, 0.0, 0.0, 0.0])))
    step = Step.start([0, 1])
    assert bool(((selector.select(logits, step, state) >= 0) & (selector.select(logits, step, state) < 5)).all())
    after = selector.accept(logits, torch.tensor([1, 1]), step, state)
    assert after.mu[0] == state.mu[0] and bool(after.mu.isfinite().all())


@pytest.mark.parametrize("spec", VARIANTS)
def test_the_stop_token_stays_possible(spec: str) -> None:
    row = torch.tensor([9.0, 8.0, 1.0, -5.0])
    chosen = spec.replace(":3", ":0.01")
    assert not bool(apply_samplers([as_sampler(chosen)], row)[3] > GONE)
    assert bool(apply_samplers([as_sampler(chosen)], row, stop_token=3)[3] > GONE)
