"""`p-less`, `min-k` and `p-step`: what their papers promise, and that they equal slow references."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given

from vall_e_core.testing import apply_samplers

from . import filter_oracles as oracles
from .oracles import GONE
from .test_against_oracles import ROUNDING, applied, quick, rows


@pytest.mark.parametrize(
    ("spec", "oracle"),
    [("p-less", oracles.p_less), ("p-less:true", oracles.p_less_normalized)],
    ids=["plain", "normalized"],
)
@quick
@given(row=rows)
def test_p_less_equals_its_reference(
    spec: str, oracle: Callable[[list[float]], oracles.Found], row: list[float]
) -> None:
    expected, near = oracle(row)
    assume(near > ROUNDING)
    assert applied(spec, row) == expected


@quick
@given(row=rows, tau=st.floats(0, 100))
def test_min_k_equals_its_reference(row: list[float], tau: float) -> None:
    expected, near = oracles.min_k(row, tau)
    assume(near > ROUNDING)
    assert applied(("min-k", {"tau": tau}), row) == expected


@quick
@given(row=rows, p=st.floats(0.01, 1))
def test_p_step_equals_its_reference(row: list[float], p: float) -> None:
    expected, near = oracles.p_step(row, p)
    assume(near > ROUNDING)
    assert applied(("p-step", {"p": p}), row) == expected


@pytest.mark.parametrize("size", [2, 3, 17, 1025, 50_000])
@pytest.mark.parametrize("spec", ["p-less", "p-less:true", "min-k"])
def test_equal_tokens_all_stay(spec: str, size: int) -> None:
    """Σ p² equals p there, and its rounded value may exceed it."""
    row = torch.full((size,), 0.3)
    assert torch.equal(apply_samplers([spec], row), row)


@quick
@given(row=rows)
def test_the_normalized_threshold_keeps_what_the_plain_one_keeps(row: list[float]) -> None:
    plain, relaxed = applied("p-less", row), applied("p-less:true", row)
    assert all(wide > GONE for strict, wide in zip(plain, relaxed, strict=True) if strict > GONE)


def test_p_less_counts_how_often_two_draws_agree() -> None:
    """0.5, 0.3, 0.2: two draws agree with probability 0.38; normalized (3 · 0.38 - 1) / 2 = 0.07."""
    row = torch.tensor([0.5, 0.3, 0.2]).log().tolist()
    assert [x > GONE for x in applied("p-less", row)] == [True, False, False]
    assert [x > GONE for x in applied("p-less:true", row)] == [True, True, True]


@quick
@given(row=rows, halvings=st.integers(1, 6))
def test_min_k_doesnt_depend_on_the_temperature(row: list[float], halvings: int) -> None:
    cooler = [x / 2**halvings for x in row]
    kept = [x > GONE for x in applied("min-k:0", row)]
    assert [x > GONE for x in applied("min-k:0", cooler)] == kept


@quick
@given(row=rows, p=st.floats(0.01, 1))
def test_p_step_separates_what_stays_from_what_goes(row: list[float], p: float) -> None:
    found = applied(("p-step", {"p": p}), row)
    probabilities = oracles.softmax(row)
    stays = [q for q, x in zip(probabilities, found, strict=True) if x > GONE]
    goes = [q for q, x in zip(probabilities, found, strict=True) if x == GONE]
    assert max(goes, default=0.0) <= p * min(stays) * (1 + ROUNDING)


def test_they_are_the_last_of_the_filters() -> None:
    from vall_e_core.sampling.running import canonical
    from vall_e_core.testing import installed_samplers

    names = [each.name for each in canonical(installed_samplers())]
    assert names[names.index("eta") :][:4] == ["eta", "p-less", "min-k", "p-step"]
