"""`entropix`: each kind of step does what it says."""

from __future__ import annotations

import math

import pytest
import torch

from vall_e_core import BuildContext
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import compile_chain
from vall_e_core.testing import apply_samplers, as_sampler, sampler_steps, select_token

from .searching import search, table

GONE = float("-inf")
OPEN = "top-p=1,top-k=0,min-p=0"


def told(spec: str, row: torch.Tensor) -> dict[str, float]:
    (report,) = sampler_steps(spec, row.unsqueeze(0), [0])
    return report


def test_it_measures_in_bits() -> None:
    report = told("entropix", torch.tensor([0.5, 0.25, 0.125, 0.125]).log())
    assert report["entropy"] == pytest.approx(1.75) and report["varentropy"] == pytest.approx(0.6875)
    assert told("entropix", torch.zeros(16))["entropy"] == pytest.approx(4)
    assert told("entropix", torch.tensor([GONE, 1.0]))["varentropy"] == 0


@pytest.mark.parametrize(
    ("row", "temperature"),
    [
        (torch.zeros(32), 1.3),  # 5 bits, no variance: hesitant
        (torch.cat((torch.tensor([math.log(3000.0)]), torch.zeros(1000))), 1.2),  # a favourite and a long tail
        (torch.cat((torch.tensor([math.log(1500.0)]), torch.zeros(4000))), 2.0),  # the same, flatter: lost
        (torch.tensor([0.5, 0.25, 0.125, 0.125]).log(), 1 + 0.3 * (1.75 + 0.6875)),
    ],
)
def test_the_temperature_goes_by_the_kind_of_step(row: torch.Tensor, temperature: float) -> None:
    assert told("entropix:temperature=1", row)["temperature"] == pytest.approx(temperature, rel=1e-4)
    made = apply_samplers([as_sampler(f"entropix:temperature=1,{OPEN}")], row)
    assert torch.allclose(made, row / temperature, rtol=1e-4, atol=1e-5)


def test_a_sure_step_takes_the_best_and_others_may_not() -> None:
    sure, not_sure = torch.tensor([0.0, 12.0, 0.0]), torch.tensor([0.0, 1.0, 0.0])
    for uniform in (0.001, 0.5, 0.999):
        assert select_token("entropix", sure, uniforms=[uniform] * 5)[0] == 1
    assert select_token(f"entropix:{OPEN}", not_sure, uniforms=[0.001] * 5)[0] == 0


def test_of_its_candidates_the_most_probable_is_taken() -> None:
    row = torch.tensor([0.2, 0.5, 0.3]).log()
    assert select_token(f"entropix:{OPEN}", row, uniforms=[0.01, 0.99, 0.5, 0.99, 0.01])[0] == 1
    assert select_token(f"entropix:{OPEN}", row, uniforms=[0.01, 0.99, 0.01, 0.99, 0.01])[0] == 2
    assert select_token(f"entropix:{OPEN},candidates=1", row, uniforms=[0.01])[0] == 0


def test_the_stop_token_stays_possible() -> None:
    row = torch.tensor([3.0, 2.5, 2.0, -9.0])
    assert not bool(apply_samplers([as_sampler("entropix:top-k=1")], row)[3] > GONE)
    assert bool(apply_samplers([as_sampler("entropix:top-k=1")], row, stop_token=3)[3] > GONE)


@pytest.mark.parametrize("row", [torch.tensor([1.0]), torch.full((6,), GONE), torch.tensor([900.0, -900.0, GONE])])
def test_degenerate_rows_have_a_finite_outcome(row: torch.Tensor) -> None:
    chain = compile_chain([as_sampler("entropix")], "ar").build(BuildContext())
    step = Step.start([0])
    state = chain.init(1, step)
    processed = chain.process(row.unsqueeze(0), step, state)
    assert bool(processed[0, chain.select(processed, step, state)[0]] > GONE)


def test_it_says_that_it_is_experimental_and_works_under_a_beam() -> None:
    plan = compile_chain([as_sampler("entropix"), as_sampler("beam:3")], "ar")
    assert any("experimental" in line for line in plan.warnings)
    (found,), _, _ = search(plan.build(BuildContext()), [table(1, 12)], 8, 11)
    assert 0 < len(found) <= 8
