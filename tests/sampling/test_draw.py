"""Drawing follows the softmax, exactly and for every number in (0, 1)."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings

from vall_e_core.sampling import draw, take_maximum
from vall_e_core.testing import select_token

from . import oracles

rows = st.lists(st.one_of(st.floats(-30, 30, width=32), st.just(oracles.GONE)), min_size=2, max_size=40).filter(
    lambda row: max(row) > oracles.GONE
)
LOWEST, HIGHEST = 0.5 * 2.0**-23, 1 - 2.0**-24


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(row=rows, uniform=st.floats(LOWEST, HIGHEST, width=32))
def test_draw_inverts_the_cumulated_distribution(row: list[float], uniform: float) -> None:
    mass, nearest = 0.0, 1.0
    for probability in oracles.softmax(row):
        mass += probability
        nearest = min(nearest, abs(mass - uniform))
    assume(nearest > 1e-5)
    assert int(draw(torch.tensor([row]), torch.tensor([uniform]))[0]) == oracles.draw(row, uniform)


@settings(max_examples=150, deadline=None)
@given(row=rows, uniform=st.sampled_from([LOWEST, 1e-6, 0.5, 1 - 2.0**-22, HIGHEST]))
def test_a_removed_token_is_never_drawn(row: list[float], uniform: float) -> None:
    token = int(draw(torch.tensor([row]), torch.tensor([uniform]))[0])
    assert row[token] > oracles.GONE


def test_extremes_reach_the_first_and_last_token() -> None:
    flat = torch.zeros(2, 1025)
    assert draw(flat, torch.tensor([LOWEST, HIGHEST])).tolist() == [0, 1024]


def test_frequencies_match_the_softmax() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, oracles.GONE, 2.0])
    count = 40_000
    uniform = (torch.arange(count) + 0.5) / count
    seen = torch.bincount(draw(logits.expand(count, 5), uniform), minlength=5) / count
    assert torch.allclose(seen, torch.softmax(logits, 0), atol=2e-4)


def test_equal_logits_give_the_lowest_id() -> None:
    for size in (2, 5, 17, 1025, 5000):
        for places in ([0, 1], [size - 2, size - 1], list(range(size))):
            row = torch.zeros(1, size)
            row[0, places] = 3.0
            assert int(take_maximum(row)[0]) == places[0]
            assert select_token("greedy", row[0])[0] == places[0]


def test_a_row_of_one_token_needs_no_luck() -> None:
    row = torch.full((1025,), oracles.GONE)
    row[77] = -40.0
    assert {select_token("multinomial", row, uniforms=[u])[0] for u in (LOWEST, 0.3, HIGHEST)} == {77}
