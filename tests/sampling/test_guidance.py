"""Guidance as a member of the chain."""

from __future__ import annotations

import statistics

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from vall_e_core import UsageError, VallEError
from vall_e_core.sampling.running import compile_chain
from vall_e_core.testing import apply_samplers, as_sampler

from .oracles import GONE
from .test_against_oracles import assert_close, steps


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(steps, steps), min_size=2, max_size=20),
    strength=st.floats(0.1, 8),
    rescale=st.floats(0, 1),
)
def test_it_moves_away_from_the_unconditional_logits(
    pairs: list[tuple[float, float]], strength: float, rescale: float
) -> None:
    given_, null = [x for x, _ in pairs], [u for _, u in pairs]
    guided = [u + strength * (x - u) for x, u in pairs]
    before, after = statistics.pstdev(given_), statistics.pstdev(guided)
    ratio = before / after if after > 1e-4 else 1.0
    expected = [x * (rescale * ratio + 1 - rescale) for x in guided]
    found = apply_samplers([("cfg", {"strength": strength, "rescale": rescale})], [given_], unconditional_logits=[null])
    if after > 1e-4 and strength != 1:
        assert [float(x) for x in found[0]] == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_what_is_ruled_out_stays_out_and_counts_for_no_spread() -> None:
    found = apply_samplers(["cfg:3"], [[1.0, GONE, 2.0, 0.5]], unconditional_logits=[[0.0, 1.0, 1.0, GONE]])[0].tolist()
    alone = apply_samplers(["cfg:3"], [[1.0, 2.0]], unconditional_logits=[[0.0, 1.0]])[0].tolist()
    assert_close(found, [alone[0], GONE, alone[1], 0.5])


def test_equal_guided_logits_have_no_spread_to_bring_back() -> None:
    found = apply_samplers(["cfg:2,rescale=1"], [[1.0, 2.0]], unconditional_logits=[[2.0, 4.0]])
    assert found[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("stage", ["nar", "stt", "len"])
def test_it_is_refused_where_it_cannot_work(stage: str) -> None:
    with pytest.raises(UsageError, match="cfg can't work"):
        compile_chain([as_sampler("cfg")], stage)


def test_without_unconditional_logits_it_says_so() -> None:
    with pytest.raises(VallEError, match="isn't run without text"):
        apply_samplers(["cfg"], [0.0, 1.0])
    assert "off: neutral" in compile_chain([as_sampler("cfg:1")], "ar").describe()[0]
    assert compile_chain([as_sampler("cfg:0"), as_sampler("top-p")], "ar").describe()[0].startswith("?cfg")
