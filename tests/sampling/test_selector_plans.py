"""Selectors and the search in plans: their flags, what is refused and with what reason, what is warned about."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from vall_e_core import BuildContext, Registry, UsageError
from vall_e_core.sampling.running import chain_from_flags, compile_chain
from vall_e_core.testing import as_sampler

KNOWN = Registry.load().samplers()


def described(flags: dict[str, object], stage: str = "ar") -> list[str]:
    return compile_chain(chain_from_flags(KNOWN, flags, stage, {"ar-temp": 0.95}), stage).describe()


def compiled(specs: Iterable[str], stage: str = "ar") -> tuple[str, ...]:
    return compile_chain([as_sampler(spec) for spec in specs], stage).warnings


def test_flags_give_version_one_of_the_paper_and_a_beam_behind_the_selector() -> None:
    assert described({"mirostat-tau": 3, "mirostat-eta": 0.2, "beam-width": 2}) == [
        "temperature", "mirostat:tau=3.0,eta=0.2", "beam:width=2",
    ]  # fmt: skip
    assert described({"beam-width": 3}) == ["temperature", "multinomial", "beam:width=3"]
    assert described({"beam-width": 3, "ar-temp": 0}) == ["greedy", "beam:width=3"]
    assert described({"beam-width": 3}, "stt")[-1] == "beam:width=3"


def test_flags_at_zero_and_a_rate_alone_are_off() -> None:
    for flags in ({"mirostat-tau": 0}, {"beam-width": 0}, {"mirostat-eta": 0.3}, {"mirostat-tau": None}):
        assert "mirostat" not in str(active(flags)) and "beam" not in str(active(flags))


def active(flags: dict[str, object]) -> list[str]:
    return [each.name for each in compile_chain(chain_from_flags(KNOWN, flags, "ar"), "ar").active]


def test_a_neutral_selector_or_search_is_off_in_an_explicit_chain() -> None:
    plan = compile_chain([as_sampler("mirostat:0"), as_sampler("beam:0")], "ar")
    assert plan.selector is None and plan.search is None and plan.build(BuildContext()).width == 1
    assert plan.describe()[:2] == ["?mirostat:tau=0.0 (off: neutral)", "?beam:width=0 (off: neutral)"]


@pytest.mark.parametrize("stage", ["ar", "stt"])
def test_two_flags_that_each_ask_for_a_selector_are_refused_by_their_names(stage: str) -> None:
    with pytest.raises(UsageError) as caught:
        described({"ar-temp": 0.0, "mirostat-tau": 3.0}, stage)
    assert str(caught.value) == "--ar-temp 0 can't be combined with --mirostat-tau 3"
    assert "greedy" in str(caught.value.cause) and "mirostat" in str(caught.value.cause)
    assert described({"ar-temp": 0.0, "mirostat-tau": 0.0}, stage) == ["greedy"]


def test_a_default_selector_makes_way_for_one_that_was_asked_for() -> None:
    """Transcription is greedy where nobody says anything."""
    assert [each.name for each in chain_from_flags(KNOWN, {"mirostat-tau": 3.0}, "stt", {"ar-temp": 0.0})] == [
        "mirostat"
    ]


def test_flags_beside_an_explicit_chain_are_refused_with_the_spelling() -> None:
    explicit = [as_sampler("top-k:5")]
    with pytest.raises(UsageError, match="--beam-width") as caught:
        chain_from_flags(KNOWN, {"beam-width": 3}, "ar", explicit=explicit)
    assert "--sampler beam:3 in its place" in str(caught.value.try_)
    with pytest.raises(UsageError, match="--mirostat-tau"):
        chain_from_flags(KNOWN, {"mirostat-tau": 3}, "ar", explicit=explicit)


@pytest.mark.parametrize(
    ("specs", "stage", "says"),
    [
        (["mirostat", "ras"], "ar", "two selectors"), (["adaptive-p", "greedy"], "ar", "two selectors"),
        (["beam:2", "beam:3"], "ar", "two searches"), (["beam", "top-k"], "ar", "top-k stands behind beam"),
        (["mirostat"], "nar", "decided in parallel"), (["adaptive-p"], "nar", "decided in parallel"),
        (["ras"], "nar", "no history"), (["beam"], "nar", "no steps to search"), (["beam"], "len", "too few digits"),
        (["temperature:0", "mirostat"], "ar", "takes the most probable token"), (["xtc", "beam"], "ar", "at random"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_reason(specs: list[str], stage: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        compiled(specs, stage)
    assert says in f"{caught.value} {caught.value.cause}"


@pytest.mark.parametrize(
    ("specs", "stage", "left"),
    [
        (["xtc:0", "beam"], "ar", ["beam"]), (["xtc", "beam:0"], "ar", ["xtc"]),
        (["xtc:threshold=0.6", "beam"], "ar", ["beam"]), (["mirostat:0", "greedy"], "ar", ["greedy"]),
        (["beam:0", "beam:2"], "ar", ["beam"]), (["mirostat:0", "top-k"], "ar", ["top-k"]),
        (["dry:0", "min-length:0", "cfg:1", "top-p"], "nar", ["top-p"]), (["beam:0"], "nar", []),
        (["temperature:0", "mirostat:0"], "ar", ["temperature"]), (["top-k:-1", "adaptive-p:-1", "ras"], "ar", ["ras"]),
    ],
)  # fmt: skip
def test_what_is_neutral_is_off_before_anything_is_refused(specs: list[str], stage: str, left: list[str]) -> None:
    plan = compile_chain([as_sampler(spec) for spec in specs], stage)
    assert [each.name for each in plan.active] == left
    assert all(each.off == "neutral" for each in plan.members if each.sampler.name not in left)
    plan.build(BuildContext(stage=stage))


def test_filters_before_mirostat_are_warned_about_and_nothing_else_is() -> None:
    (line,) = compiled(["top-k:50", "top-p:0.9", "temperature:0.9", "mirostat"])
    assert line.startswith("top-k, top-p before mirostat: ")
    assert compiled(["repetition-penalty:1.2", "temperature:0.9", "mirostat"]) == ()
    assert compiled(["top-k:50", "ras"]) == compiled(["min-p:0.1", "adaptive-p"]) == ()
    assert compiled(["top-k:0", "mirostat"]) == ()


def test_a_default_s_filter_makes_way_for_mirostat_and_one_that_was_asked_for_stays() -> None:
    """A checkpoint may advise top-p: nobody who asks for mirostat asked for that."""
    known, advice = KNOWN, {"ar-temp": 0.8, "top-p": 0.9}
    tau = {"mirostat-tau": 3.0}
    assert [each.name for each in chain_from_flags(known, tau, "ar", advice)] == ["temperature", "mirostat"]
    asked = chain_from_flags(known, {**tau, "top-p": 0.5}, "ar", advice)
    assert [each.name for each in asked] == ["top-p", "temperature", "mirostat"]
    assert "top-p" in [each.name for each in chain_from_flags(known, {}, "ar", advice)]


def test_stateful_selectors_may_stand_under_a_beam() -> None:
    for name in ("mirostat", "adaptive-p", "ras", "greedy", "multinomial"):
        plan = compile_chain([as_sampler("beam:3"), as_sampler(name)], "ar")
        assert plan.selector is not None and plan.search is not None
        assert plan.warnings == () or name == "mirostat"


def test_mirostat_under_a_beam_is_noted() -> None:
    (said,) = compile_chain([as_sampler("mirostat"), as_sampler("beam:2")], "ar").warnings
    assert said.startswith("mirostat beside beam: upstream VALL-E calls them incompatible; here ")
    assert compile_chain([as_sampler("mirostat")], "ar").warnings == ()
