"""Filters by spread, entropy and tail, the curve, and XTC: each equals its slow float64 reference on any input."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings

from vall_e_core import BuildContext, UsageError
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Chain, Noise, Stage, compile_chain
from vall_e_core.testing import apply_samplers, as_sampler, installed_samplers

from . import filter_oracles as oracles
from .oracles import GONE
from .test_against_oracles import applied, assert_close, rows, steps

ROUNDING = 1e-5
quick = settings(max_examples=40, deadline=None)

Oracle = Callable[[list[float], float], oracles.Found]
FILTERS: list[tuple[str, str, float, float, Oracle]] = [
    ("top-n-sigma", "n", 0.01, 5.0, oracles.top_n_sigma),
    ("top-a", "a", 0.001, 1.0, oracles.top_a),
    ("epsilon", "epsilon", 1e-6, 1.0, oracles.epsilon),
    ("eta", "epsilon", 1e-6, 1.0, oracles.eta),
    ("typical-p", "p", 0.0, 0.99, oracles.typical_p),
    ("tfs", "z", 0.01, 0.99, oracles.tail_free),
]


@pytest.mark.parametrize(("name", "key", "low", "high", "oracle"), FILTERS, ids=[each[0] for each in FILTERS])
def test_filter_equals_its_reference(name: str, key: str, low: float, high: float, oracle: Oracle) -> None:
    @quick
    @given(row=rows, value=st.floats(low, high))
    def check(row: list[float], value: float) -> None:
        expected, near = oracle(row, value)
        assume(near > ROUNDING)
        assert applied((name, {key: value}), row) == expected

    check()


@quick
@given(row=rows, h=st.floats(0.01, 0.99), top_n=st.integers(0, 50))
def test_top_h(row: list[float], h: float, top_n: int) -> None:
    expected, near = oracles.top_h(row, h, top_n)
    assume(near > ROUNDING)
    assert applied(("top-h", {"h": h, "top_n": top_n}), row) == expected


@quick
@given(row=rows, factor=st.floats(0.01, 3), curve=st.floats(1, 5))
def test_quadratic(row: list[float], factor: float, curve: float) -> None:
    top = max(row)
    k, s = (3 - curve) / 2, (curve - 1) / 2
    expected = [top - k * factor * (x - top) ** 2 + s * factor * (x - top) ** 3 if x > GONE else x for x in row]
    assert_close(applied(("quadratic", {"factor": factor, "curve": curve}), row), expected)


def test_quadratic_stays_finite_behind_the_strongest_penalty() -> None:
    bent = applied(("quadratic", {"factor": 1e9, "curve": 1e9}), [1.0, -3e38, 0.0, GONE])
    assert bent[0] == 1.0 and -1e31 < bent[1] <= bent[2] < 1.0 and bent[3] == GONE


@quick
@given(row=rows, threshold=st.floats(0, 0.6), data=st.data())
def test_xtc_that_always_acts(row: list[float], threshold: float, data: st.DataObject) -> None:
    protect = data.draw(st.lists(st.integers(0, 60), max_size=3))
    expected, near = oracles.xtc(row, threshold, protect)
    assume(near > ROUNDING)
    values = {"probability": 1, "threshold": threshold, "protect": protect}
    assert applied(("xtc", values), row) == expected


@quick
@given(row=rows, threshold=st.floats(0, 0.6), stop=st.integers(0, 1))
def test_xtc_holds_the_stop_token_out(row: list[float], threshold: float, stop: int) -> None:
    """Were it a candidate, it could be the one that is left: the result would end at random."""
    expected, near = oracles.xtc(row, threshold, [stop])
    assume(near > ROUNDING)
    left = [i for i, x in enumerate(expected) if x > GONE]
    assume(left != [stop])
    assert applied(("xtc", {"probability": 1, "threshold": threshold}), row, stop_token=stop) == expected


def test_xtc_acts_as_often_as_it_says_in_each_row_by_itself() -> None:
    logits = torch.zeros(4000, 3)
    built = compile_chain([as_sampler("xtc:0.3")], "ar").transforms[0].build
    from vall_e_core import BuildContext

    step = Step.start(range(4000), seed=Noise(5))
    made = built(BuildContext()).apply(logits, step, None)
    removed = (made == GONE).sum(-1)
    assert set(removed.tolist()) == {0, 2}
    assert (removed > 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    some = step.select(torch.tensor([7, 1900, 3]))
    assert torch.equal(built(BuildContext()).apply(logits[:3], some, None), made[[7, 1900, 3]])


@pytest.mark.parametrize("stage", ["ar", "nar"])
def test_xtc_beside_a_beam_is_refused_with_the_reason(stage: str) -> None:
    if "beam" not in {each.name for each in installed_samplers()}:
        pytest.skip("no beam is installed")
    with pytest.raises(UsageError) as caught:
        compile_chain([as_sampler("xtc"), as_sampler("beam")], "ar")
    assert "at random" in caught.value.render()


EVERY = [
    "top-n-sigma", "top-h", "tfs", "typical-p", "top-a", "epsilon", "eta", "xtc:1", "quadratic", "p-less",
    "p-less:normalized=true", "min-k", "min-k:0", "p-step",
]  # fmt: skip


@pytest.mark.parametrize("spec", EVERY)
def test_extreme_rows_leave_something_and_no_nan(spec: str) -> None:
    made = [
        [0.0, 0.0], [GONE, 3.0], [-3e38, 1.0], [3e38, -3e38], [0.0, -1e-30], [500.0, -500.0], [-3e38, -3e38], [1.0, 1.0]
    ]  # fmt: skip
    for row in [*made, [*made[0], *made[1], *made[2]]]:
        left = torch.tensor(applied(spec, row))
        assert not left.isnan().any() and (left > GONE).any() and (left < float("inf")).all(), row
        assert all(left[i] == GONE for i, x in enumerate(row) if x == GONE)


@pytest.mark.slow
@pytest.mark.parametrize("spec", EVERY)
@quick
@given(data=st.data())
def test_a_row_doesnt_see_its_neighbours(spec: str, data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 12))
    batch = data.draw(st.lists(st.lists(steps, min_size=size, max_size=size), min_size=2, max_size=4))
    together = apply_samplers([spec], batch)
    for place, row in enumerate(batch):
        alone = apply_samplers([spec], [row] * (place + 1))[place]  # the same noise
        assert torch.allclose(together[place], alone)


def test_equal_tokens_have_no_tail() -> None:
    assert applied("tfs:0.5", [2.0] * 5) == [2.0] * 5
    assert applied("tfs:0.5", [2.0, -9.0]) == [2.0, -9.0]


@pytest.mark.parametrize(
    "neutral", ["top-n-sigma:0", "top-n-sigma:-1", "top-h:1,top-n=0", "tfs:1", "typical-p:1", "top-a:0", "epsilon:0",
                "eta:0", "xtc:0", "xtc:1,threshold=0.51", "quadratic:0"],
)  # fmt: skip
def test_neutral_values_are_off(neutral: str) -> None:
    assert "off: neutral" in compile_chain([as_sampler(neutral)], "nar").describe()[0]


@pytest.mark.parametrize("stop", [0, 77, 299])
@pytest.mark.parametrize("k", [1, 20, 299])
def test_few_tokens_are_sorted_as_all_would_be(k: int, stop: int) -> None:
    """Behind `top-k` only the tokens left are sorted; the stop token, which comes back, is one more."""
    logits = torch.randint(-3, 4, (8, 300), generator=torch.Generator().manual_seed(k)).float() * 0.5
    logits[:, stop] = -2.0
    logits[0, 10:] = -torch.inf
    logits[1] = 0.0
    top_k, top_p = as_sampler(("top-k", {"k": k})), as_sampler(("top-p", {"p": 0.8}))
    chain = compile_chain([top_k, top_p], "ar").build(BuildContext())
    alone = Chain([Stage(each.name, each.build(BuildContext())) for each in (top_k, top_p)])
    step = Step.start(range(8), stop_token=stop)
    made, wanted = (each.process(logits, step, each.init(8, step)) for each in (chain, alone))
    assert torch.equal(made, wanted)


@pytest.mark.parametrize("z", [0.0, 0.3, 0.9])
def test_two_tokens_have_no_tail_to_cut(z: float) -> None:
    """As in llama.cpp, which leaves fewer than three candidates alone, however they come to be two."""
    assert applied(f"tfs:{z}", [3.0, 0.0]) == [3.0, 0.0]
    assert applied(f"tfs:{z}", [GONE, 3.0, GONE, 0.0, GONE]) == [GONE, 3.0, GONE, 0.0, GONE]
    assert apply_samplers(["top-k:2", f"tfs:{z}"], [3.0, 0.0, -1.0, -2.0]).tolist() == [3.0, 0.0, GONE, GONE]
