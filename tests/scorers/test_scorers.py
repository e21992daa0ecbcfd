"""The scorers that ship, on takes made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from vall_e_core import BuildContext, FinishedTake, ModelError, Registry, ScorerModel
from vall_e_lm import find_scorers
from vall_e_scorers.hearing import distance, letters, listening

TAKE = FinishedTake(
    "hello", "həlˈoʊ.", "en", torch.zeros(50, 4, dtype=torch.long), np.zeros(8000, np.float32), 8000, 50.0, 2.0, "stop",
    "ok", -102.0,
)  # fmt: skip


def scorer(spec: str) -> ScorerModel:
    (found,) = find_scorers(Registry.load(third_party=False), [spec])
    return found.build(BuildContext())


def test_length_is_the_logarithm_of_the_ratio() -> None:
    model = scorer("length")
    assert model.score(TAKE) == pytest.approx(-math.log(2))
    assert model.score(replace(TAKE, expected_seconds=0.5)) == pytest.approx(-math.log(2))
    assert model.score(replace(TAKE, expected_seconds=1.0)) == 0
    assert model.score(replace(TAKE, expected_seconds=0.0)) is None


def test_log_probability_is_for_each_step_with_the_stop_among_them() -> None:
    model = scorer("log-probability")
    assert model.score(TAKE) == pytest.approx(-2.0)
    assert model.score(replace(TAKE, stop_reason="length")) == pytest.approx(-2.04)
    assert model.score(replace(TAKE, log_probability=None)) is None


def test_stt_needs_a_model_that_can_hear() -> None:
    with pytest.raises(ModelError, match="needs a model"):
        scorer("stt")


def test_only_letters_count() -> None:
    assert letters("həlˈoʊ wˈɜːld!") == "həloʊwɜld"
    assert listening("de").language == "de" and listening("pt-br").language == "en"


def slow(left: str, right: str) -> int:
    """Levenshtein's own recursion."""
    if not left or not right:
        return len(left) + len(right)
    same = slow(left[1:], right[1:]) + (left[0] != right[0])
    return min(same, slow(left[1:], right) + 1, slow(left, right[1:]) + 1)


@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_the_distance_is_levenshteins(left: str, right: str) -> None:
    assert distance(left, right) == slow(left, right)
