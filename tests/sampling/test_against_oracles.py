"""Every sampler equals its slow float64 reference on any input."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings

from vall_e_core.testing import SamplerLike, apply_samplers

from . import oracles

ROUNDING = 1e-5  # how near a threshold float32 may decide either way

quick = settings(max_examples=60, deadline=None)
steps = st.integers(-60, 60).map(lambda x: x / 4)
"""Logits on a grid of quarters: many ties, and exact in float32."""
rows = st.lists(st.one_of(steps, steps, steps, st.just(oracles.GONE)), min_size=2, max_size=40).filter(
    lambda row: max(row) > oracles.GONE
)


def applied(sampler: SamplerLike, row: list[float], history: list[int] | None = None, **more: int) -> list[float]:
    result = apply_samplers([sampler], row, history or [], **more)
    return [float(x) for x in result]


def assert_close(found: list[float], expected: list[float]) -> None:
    assert [x == oracles.GONE for x in found] == [x == oracles.GONE for x in expected]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@quick
@given(row=rows, k=st.integers(0, 50))
def test_top_k_keeps_exactly_k_and_the_lowest_ids_among_equals(row: list[float], k: int) -> None:
    assert applied(("top-k", {"k": k}), row) == oracles.top_k(row, k)


@quick
@given(row=rows, p=st.floats(0, 1))
def test_top_p_is_the_shortest_prefix_that_reaches_p(row: list[float], p: float) -> None:
    assume(oracles.top_p_margin(row, p) > ROUNDING)
    assert applied(("top-p", {"p": p}), row) == oracles.top_p(row, p)


def test_top_p_of_nothing_keeps_one_token() -> None:
    assert applied(("top-p", {"p": 0}), [1.0, 2.0, 2.0]) == [oracles.GONE, 2.0, oracles.GONE]


@quick
@given(row=rows, p=st.floats(0, 1))
def test_min_p_is_relative_to_the_best_token(row: list[float], p: float) -> None:
    assume(oracles.min_p_margin(row, p) > ROUNDING)
    assert applied(("min-p", {"p": p}), row) == oracles.min_p(row, p)


def test_min_p_of_one_keeps_every_maximum() -> None:
    assert applied(("min-p", {"p": 1}), [2.0, 1.0, 2.0]) == [2.0, oracles.GONE, 2.0]


def test_min_p_may_keep_a_single_token() -> None:
    """No hidden least number of tokens to keep."""
    row = [0.0] * 100
    row[7] = 20.0
    assert sum(x > oracles.GONE for x in applied(("min-p", {"p": 0.05}), row)) == 1


@quick
@given(row=rows, t=st.floats(0.01, 50))
def test_temperature_divides(row: list[float], t: float) -> None:
    assert_close(applied(("temperature", {"t": t}), row), [x / t for x in row])


@quick
@given(row=rows)
def test_temperature_zero_keeps_the_first_maximum_alone(row: list[float]) -> None:
    assert applied(("temperature", {"t": 0}), row) == oracles.keep(row, oracles.ranked(row)[:1])


@quick
@given(row=rows, low=st.floats(0.05, 1), spread=st.floats(0, 2), k=st.floats(0, 30), center=st.floats(0, 1))
def test_dynamic_temperature_by_confidence(
    row: list[float], low: float, spread: float, k: float, center: float
) -> None:
    t = oracles.confidence(row, low, low + spread, k, center)
    values = {"mode": "confidence", "min": low, "max": low + spread, "k": k, "center": center}
    assert_close(applied(("dynamic-temperature", values), row), [x / t for x in row])


@quick
@given(row=rows, low=st.floats(0.05, 1), spread=st.floats(0, 2), exponent=st.floats(0, 3))
def test_dynamic_temperature_by_entropy(row: list[float], low: float, spread: float, exponent: float) -> None:
    t = oracles.entropy(row, low, low + spread, exponent)
    nearly_sure = 0 < oracles.entropy(row, 0.0, 1.0, 1.0) < 1e-3  # where x^e is steep and float32 knows few digits of x
    assume(exponent >= 1 or not nearly_sure)
    values = {"mode": "entropy", "min": low, "max": low + spread, "exponent": exponent}
    found = applied(("dynamic-temperature", values), row)
    assert found == pytest.approx([x / t for x in row], rel=1e-3, abs=1e-4)


def test_a_token_alone_is_certain_whatever_the_exponent() -> None:
    sampler = ("dynamic-temperature", {"mode": "entropy", "min": 0.5, "max": 2, "exponent": 0})
    assert applied(sampler, [1.0, oracles.GONE]) == [2.0, oracles.GONE]


def test_dynamic_temperature_of_a_row_ignores_its_neighbours() -> None:
    steep, flat = [8.0, 0.0, 0.0, -2.0], [0.1, 0.0, 0.2, 0.0]
    for mode in ("entropy", "confidence"):
        sampler = ("dynamic-temperature", {"mode": mode, "min": 0.2, "max": 1.5})
        both = apply_samplers([sampler], [steep, flat])
        assert torch.allclose(both[0], apply_samplers([sampler], steep))
        assert torch.allclose(both[1], apply_samplers([sampler], flat))


@quick
@given(
    row=rows, data=st.data(), penalty=st.floats(0.2, 4), decay=st.floats(0, 3),
    window=st.sampled_from([-1, 0, 1, 5, 75]),
)  # fmt: skip
def test_repetition_penalty(row: list[float], data: st.DataObject, penalty: float, decay: float, window: int) -> None:
    history = data.draw(st.lists(st.integers(0, len(row) - 1), max_size=90))
    found = applied(("repetition-penalty", {"penalty": penalty, "decay": decay, "window": window}), row, history)
    assert_close(found, oracles.repetition(row, history, penalty, decay, window))


@quick
@given(row=rows, data=st.data(), penalty=st.floats(1, 4), decay=st.floats(0, 3))
def test_a_repetition_penalty_never_makes_a_repeated_token_more_probable(
    row: list[float], data: st.DataObject, penalty: float, decay: float
) -> None:
    """Upstream divided negative logits too, which rewarded them, and did so once an occurrence."""
    history = data.draw(st.lists(st.integers(0, len(row) - 1), min_size=1, max_size=20))
    found = applied(("repetition-penalty", {"penalty": penalty, "decay": decay}), row, history)
    assert all(new <= old + 1e-6 for new, old in zip(found, row, strict=True))


def test_a_history_of_one_token_is_penalised() -> None:
    assert applied(("repetition-penalty", {"penalty": 2}), [3.0, -1.0], [1]) == [3.0, -2.0]


@quick
@given(
    x=steps, count=st.integers(0, 300), factor=st.floats(-2, 2), start=st.integers(0, 100),
    mode=st.sampled_from(["log", "power", "exponential"]),
)  # fmt: skip
def test_length_penalty_changes_the_stop_token_alone(
    x: float, count: int, factor: float, start: int, mode: str
) -> None:
    factor = math.exp(factor * 0.02) if mode == "exponential" else factor
    row = [0.5, -0.5, x, 1.0]
    sampler = ("length-penalty", {"factor": factor, "mode": mode, "start": start})
    found = applied(sampler, row, [0] * count, stop_token=2)
    assert_close(found, [0.5, -0.5, oracles.length(x, count, factor, mode, start), 1.0])
    assert applied(sampler, row, [0] * count) == row  # without a stop token there is nothing to change


@quick
@given(x=steps, factor=st.floats(0.01, 2), mode=st.sampled_from(["log", "power"]))
def test_a_positive_length_factor_never_makes_stopping_more_probable(x: float, factor: float, mode: str) -> None:
    """Upstream divided a negative stop logit, which raised it."""
    scores = [
        applied(("length-penalty", {"factor": factor, "mode": mode}), [0.0, x], [0] * n, stop_token=1)[1]
        for n in (1, 10, 100)
    ]
    assert scores == sorted(scores, reverse=True)


def test_an_exponential_length_penalty_stays_finite() -> None:
    sampler = ("length-penalty", {"factor": 3.0, "mode": "exponential"})
    found = applied(sampler, [0.0, -2.0], [0] * 2000, stop_token=1)
    assert math.isfinite(found[1]) and found[1] > 1e20
