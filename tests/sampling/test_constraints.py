"""Bias, suppressed ids, minimum length."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from vall_e_core import BuildContext, UsageError, VallEError
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Noise, compile_chain
from vall_e_core.testing import SamplerLike, apply_samplers, as_sampler, select_token

from .oracles import GONE
from .test_against_oracles import applied, assert_close, rows

quick = settings(max_examples=40, deadline=None)


def alone(sampler: SamplerLike, row: list[float], step: Step | None = None, size: int | None = None) -> list[float]:
    """What the sampler does by itself, without the chain's protection; with ids that the row may lack."""
    plan = compile_chain([as_sampler(sampler)], "ar")
    chain = plan.build(BuildContext(vocab_size=size))
    step = Step.start([0], seed=Noise(0)) if step is None else step
    transform = chain.stages[0].transform
    state = chain.init(1, step).stages[0]
    return [float(x) for x in transform.apply(torch.tensor([row]), step, state)[0]]


@quick
@given(row=rows, bias=st.dictionaries(st.integers(0, 50), st.one_of(st.floats(-30, 30), st.just(GONE)), min_size=1))
def test_logit_bias_adds(row: list[float], bias: dict[int, float]) -> None:
    found = alone(("logit-bias", {"bias": bias}), row)
    assert_close(found, [x + bias.get(i, 0.0) if x > GONE else x for i, x in enumerate(row)])


@quick
@given(row=rows, ids=st.lists(st.integers(0, 50), min_size=1))
def test_suppress_removes(row: list[float], ids: list[int]) -> None:
    assert alone(("suppress", {"ids": ids}), row) == [GONE if i in ids else x for i, x in enumerate(row)]


def test_they_are_written_as_a_map_and_a_list() -> None:
    assert as_sampler("logit-bias:1024@-2.5+7@1").to_mapping() == {"bias": {1024: -2.5, 7: 1.0}}
    assert as_sampler("logit-bias:bias=3@-inf").to_mapping() == {"bias": {3: "-inf"}}
    assert as_sampler("suppress:3+7").to_mapping() == {"ids": [3, 7]}
    for spec in ("logit-bias:bias=1@-inf+2@0.5", "suppress:ids=3+7", "suppress:ids=", "logit-bias:bias="):
        made = as_sampler(spec)
        assert as_sampler(made.to_spec()) == made == as_sampler((made.name, made.to_mapping()))


def test_empty_ones_are_neutral_and_bare_ones_are_asked_for_more() -> None:
    for spec in ("suppress:ids=", "logit-bias:bias=", "min-length:0"):
        assert "off: neutral" in compile_chain([as_sampler(spec)], "ar").describe()[0]
    for name, needs in (("suppress", "ids"), ("logit-bias", "bias"), ("min-length", "seconds")):
        with pytest.raises(UsageError, match=f"{name} needs {needs}"):
            as_sampler(name)


@pytest.mark.parametrize(
    "spec", ["logit-bias:-1@2", "logit-bias:1@inf", "logit-bias:1@nan", "logit-bias:1", "logit-bias:x@1", "suppress:-1",
             "suppress:1.5", "min-length:-1", "min-length:inf"],
)  # fmt: skip
def test_impossible_values_are_refused(spec: str) -> None:
    with pytest.raises(VallEError):
        as_sampler(spec)


@pytest.mark.parametrize("spec", ["suppress:3+33", "logit-bias:33@1"])
def test_an_id_that_the_model_lacks_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError, match="no id 33; its ids end at 32"):
        as_sampler(spec).build(BuildContext(vocab_size=33))
    as_sampler(spec).build(BuildContext(vocab_size=34))
    as_sampler(spec).build(BuildContext(vocab_size=33, stage="nar"))  # the stop token, which the levels lack
    with pytest.raises(UsageError, match="no id 33"):
        as_sampler(spec).build(BuildContext(vocab_size=32, stage="nar"))


def test_a_ban_may_take_the_stop_token_and_a_chain_still_chooses() -> None:
    assert applied("suppress:1", [0.0, 9.0, 1.0], stop_token=1) == [0.0, GONE, 1.0]
    assert applied("logit-bias:1@-inf", [0.0, 9.0, 1.0], stop_token=1) == [0.0, GONE, 1.0]
    assert applied("suppress:0+1", [0.0, 1.0]) == [GONE, 0.0]  # nothing is left: the chain's defined fallback


@pytest.mark.parametrize(("seconds", "rate", "frames"), [(0.2, 75, 15), (0.21, 75, 16), (1, 12.5, 13), (1e300, 75, 99)])
def test_min_length_bans_the_stop_token_for_so_many_frames(seconds: float, rate: float, frames: int) -> None:
    for count in (0, frames - 1, frames):
        found = apply_samplers(
            [("min-length", {"seconds": seconds})], [[5.0, 0.0, 1.0]], [0] * count, stop_token=0, frame_rate=rate
        )
        assert (found[0, 0] == GONE) == (count < frames or seconds > 1e9)
        assert found[0, 1:].tolist() == [0.0, 1.0]


def test_min_length_is_counted_for_each_row() -> None:
    histories = [torch.zeros(n, dtype=torch.long) for n in (0, 80, 74, 75)]
    found = apply_samplers(["min-length:1"], [[5.0, 0.0]] * 4, histories, stop_token=0)
    assert (found[:, 0] == GONE).tolist() == [True, False, True, False]


def test_min_length_holds_behind_filters_and_before_greedy() -> None:
    chain = ["min-length:1", "top-k:1", "xtc:1", "greedy"]  # top-k leaves xtc nothing to choose from
    found = apply_samplers(chain, [[9.0, 0.0, 1.0]], stop_token=0)
    assert found[0].tolist() == [GONE, GONE, 1.0]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mirostat:1e300", "at most 1e"), ("temperature:1e300", "at most 1e"), ("temperature:1e-40", "at least 1e-30"),
        ("repetition-penalty:1e-300", "at least 1e-30"), ("dynamic-temperature:max=1e300", "at most 1e"),
        ("dynamic-temperature:min=0,max=1e-40", "at least 1e-30"),
    ],
)  # fmt: skip
def test_a_number_that_float32_does_not_hold_is_refused(spec: str, says: str) -> None:
    """Regression: an internal error, or a chain that left nothing at any step."""
    with pytest.raises(UsageError, match=says):
        as_sampler(spec)


@pytest.mark.parametrize(
    "spec", ["temperature:1e-30", "repetition-penalty:1e-30", "mirostat:1e30", "entropix:top_k=99999999999999999999"]
)  # fmt: skip
def test_the_farthest_numbers_work(spec: str) -> None:
    logits = [1.0, 3.0, 2.0, -1.0]
    token, _ = select_token(as_sampler(spec), logits, [1, 2])
    assert 0 <= token < 4
    if spec.startswith("temperature"):
        assert token == 1
