"""What looks at the history equals a plain search through it: penalties by count, DRY, n-grams."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from vall_e_core import UsageError
from vall_e_core.sampling.running import compile_chain
from vall_e_core.testing import NoSync, apply_samplers, as_sampler, sampler_steps

from . import repetition_oracles as oracles
from .oracles import GONE
from .test_against_oracles import applied, assert_close

quick = settings(max_examples=60, deadline=None)
histories = st.one_of(
    st.lists(st.integers(0, 2), max_size=60),
    st.lists(st.integers(0, 9), max_size=40),
    st.tuples(st.lists(st.integers(0, 9), max_size=6), st.lists(st.integers(0, 9), min_size=1, max_size=5)).map(
        lambda parts: parts[0] + parts[1] * 8
    ),
)
"""Few tokens, many, and loops."""
FLAT = [0.25 * i for i in range(10)]
settings_of_dry = st.fixed_dictionaries(
    {
        "multiplier": st.floats(-2, 3), "base": st.floats(0.5, 2.5), "allowed_length": st.integers(0, 5),
        "range": st.sampled_from([-1, 0, 1, 2, 7, 30]), "max_match": st.sampled_from([0, 1, 3, 50]),
        "breakers": st.lists(st.integers(0, 12), max_size=2),
    }
)  # fmt: skip


def dry(history: list[int], values: dict[str, Any], row: list[float] = FLAT) -> list[float]:
    return oracles.dry(
        row, history, values["multiplier"], values["base"], values["allowed_length"], values["range"],
        values["max_match"], values["breakers"],
    )  # fmt: skip


@quick
@given(history=histories, frequency=st.floats(-2, 2), presence=st.floats(-2, 2), window=st.sampled_from([-1, 0, 1, 9]))
def test_frequency_presence(history: list[int], frequency: float, presence: float, window: int) -> None:
    found = applied(
        ("frequency-presence", {"frequency": frequency, "presence": presence, "window": window}), FLAT, history
    )
    assert_close(found, oracles.frequency_presence(FLAT, history, frequency, presence, window))


@quick
@given(history=histories, values=settings_of_dry)
def test_dry(history: list[int], values: dict[str, Any]) -> None:
    found = applied(("dry", values), FLAT, history)
    assert found == pytest.approx(dry(history, values), rel=1e-4, abs=1e-4)


@pytest.mark.slow
@quick
@given(batch=st.lists(histories, min_size=2, max_size=5), values=settings_of_dry)
def test_dry_of_rows_of_different_lengths(batch: list[list[int]], values: dict[str, Any]) -> None:
    found = apply_samplers([("dry", values)], [FLAT] * len(batch), [torch.tensor(each).long() for each in batch])
    for row, history in zip(found, batch, strict=True):
        assert row.tolist() == pytest.approx(dry(history, values), rel=1e-4, abs=1e-4)


@quick
@given(history=histories.filter(bool), values=settings_of_dry)
def test_dry_step_by_step_is_dry_of_the_whole(history: list[int], values: dict[str, Any]) -> None:
    reports = sampler_steps(("dry", values), [FLAT] * len(history), history)
    for count, report in enumerate(reports):
        expected = dry(history[:count], values)
        assert report["logits"].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_dry_looks_at_the_order_not_at_the_number() -> None:
    """The rest of a phrase is penalised, more with each word of it; tokens that merely occurred aren't."""
    phrase = [1, 2, 3, 4, 5]
    found = [
        dict(enumerate(applied("dry:1,base=2", [0.0] * 7, [6, *phrase, 0, *phrase[:count]]))) for count in range(1, 5)
    ]
    assert [each[count + 2] for count, each in enumerate(found)] == [0.0, -1.0, -2.0, -4.0]
    assert all(value == 0.0 for count, each in enumerate(found) for token, value in each.items() if token != count + 2)


@pytest.mark.slow
def test_dry_of_a_very_long_match_stays_finite() -> None:
    for base in (1.0, 1.0000001, 1.75, 10.0, 1e30, 1e300):
        found = applied(("dry", {"multiplier": 5, "base": base, "max_match": 0}), [0.5, -0.5], [1] * 3000)
        assert found[0] == 0.5 and math.isfinite(found[1]) and found[1] < -5
    assert applied(("dry", {"max_match": 0}), [0.5, GONE], [1] * 3000) == [0.5, GONE]


def test_dry_caps_the_match() -> None:
    assert applied("dry:1,base=2,max-match=5", [0.0, 0.0], [1] * 300)[1] == -8.0


@pytest.mark.parametrize("name", ["dry", "no-repeat-ngram", "frequency-presence", "min-length:1"])
def test_what_needs_an_order_is_refused_for_the_nar_levels_with_the_reason(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_chain([as_sampler(name)], "nar")
    reason = "no stop token" if name.startswith("min") else "decided in parallel"
    assert "can't work in the NAR levels" in caught.value.render() and reason in caught.value.render()


@quick
@given(history=histories, n=st.integers(0, 6))
def test_no_repeat_ngram(history: list[int], n: int) -> None:
    assert applied(("no-repeat-ngram", {"n": n}), FLAT, history) == (
        FLAT if n == 0 else oracles.no_repeat_ngram(FLAT, history, n)
    )


@quick
@given(batch=st.lists(histories, min_size=2, max_size=5), n=st.integers(1, 4))
def test_no_repeat_ngram_of_rows_of_different_lengths(batch: list[list[int]], n: int) -> None:
    found = apply_samplers([f"no-repeat-ngram:{n}"], [FLAT] * len(batch), [torch.tensor(each).long() for each in batch])
    for row, history in zip(found, batch, strict=True):
        assert row.tolist() == oracles.no_repeat_ngram(FLAT, history, n)


@pytest.mark.slow
@quick
@given(wishes=st.lists(st.integers(0, 2), min_size=1, max_size=40), n=st.integers(2, 4))
def test_what_no_repeat_ngram_leaves_never_repeats(wishes: list[int], n: int) -> None:
    """A writer who takes the lowest id that is left, where the wish isn't."""
    written: list[int] = []
    for wish in wishes:
        left = apply_samplers([f"no-repeat-ngram:{n}"], [0.0] * 50, written)
        written.append(wish if left[wish] > GONE else int((left > GONE).nonzero()[0]))
    grams = [tuple(written[i : i + n]) for i in range(len(written) - n + 1)]
    assert len(grams) == len(set(grams))


def test_where_every_token_would_repeat_nothing_is_removed() -> None:
    assert applied("no-repeat-ngram:1", [0.0, 1.0], [0, 1]) == [0.0, 1.0]
    assert applied("no-repeat-ngram:2", [0.0, 1.0], [0, 0, 1, 0]) == [0.0, 1.0]


@pytest.mark.parametrize(
    "spec", ["dry", "dry:breakers=1", "no-repeat-ngram:2", "no-repeat-ngram:1", "frequency-presence"]
)
def test_an_empty_history_changes_nothing_and_nothing_waits_for_the_device(spec: str) -> None:
    assert applied(spec, [1.0, -1.0]) == [1.0, -1.0]
    from vall_e_core import BuildContext
    from vall_e_core.sampling import Step

    chain = compile_chain([as_sampler(spec)], "ar").build(BuildContext())
    step = Step.start(range(3), capacity=40)
    state = chain.init(3, step)
    logits = torch.randn(3, 5)
    with NoSync():
        for _ in range(20):
            tokens = chain.process(logits, step, state).argmax(-1)
            state = chain.accept(tokens, step, state)
            step.append(tokens)


@pytest.mark.parametrize(
    "spec", ["dry:range=1000000000000000000000,max-match=1000000000000000000000,allowed-length=1000000000000000000000",
             "dry:breakers=1000000000000000000000", "no-repeat-ngram:1000000000000000000000",
             "frequency-presence:1e300,window=1000000000000000000000", "xtc:1,protect=1000000000000000000000"],
)  # fmt: skip
def test_numbers_beyond_any_history_are_only_large(spec: str) -> None:
    found = applied(spec, [0.0, -30.0, -40.0], [0, 1, 0, 1])
    assert all(math.isfinite(x) for x in found)


def test_a_sequence_of_breakers_ends_a_match_only_when_it_is_complete() -> None:
    """llama.cpp's `dry_sequence_breakers` of several tokens: the match is no longer than what came after it."""
    row = torch.zeros(12)
    loop = [1, 2, 3, 4, 1, 2, 3]  # 4 would go on with a match of three
    plain = apply_samplers(["dry:1,base=2,allowed_length=1"], row, loop)
    assert float(plain[4]) == -4.0
    for sequence, penalty in (("2-3", 0.0), ("1-2", -1.0), ("3-2", -4.0), ("1-2-3", 0.0), ("3", 0.0), ("9-9-3", -4.0)):
        found = apply_samplers([f"dry:1,base=2,allowed_length=1,sequences={sequence}"], row, loop)
        assert float(found[4]) == penalty, sequence
    both = apply_samplers(["dry:1,base=2,allowed_length=1,sequences=9-9+1-2"], row, loop)
    assert float(both[4]) == -1.0
    assert float(apply_samplers(["dry:1,base=2,allowed_length=1,sequences=5-2-3"], row, [2, 3, 4, 2, 3])[4]) == -2.0
    with pytest.raises(UsageError, match="isn't a run of ids"):
        as_sampler("dry:sequences=3-x")
