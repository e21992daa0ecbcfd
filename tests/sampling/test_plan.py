"""Chains from specs and from plain flags: order, refusals, what is left out, what is shown."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from vall_e_core import BuildContext, Registry, Sampler, UsageError
from vall_e_core.sampling.running import chain_from_flags, compile_chain
from vall_e_core.testing import as_sampler

KNOWN = Registry.load().samplers()
ADVICE = {"ar-temp": 0.95, "nar-temp": 0.0}


def specs(*texts: str) -> list[Sampler]:
    return [as_sampler(text) for text in texts]


def described(flags: dict[str, object], stage: str = "ar", *explicit: str) -> list[str]:
    chain = chain_from_flags(KNOWN, flags, stage, ADVICE, specs(*explicit) if explicit else None)
    return compile_chain(chain, stage).describe()


def test_flags_take_their_canonical_places_whatever_order_they_come_in() -> None:
    flags: dict[str, object] = {
        "ar-temp": 0.8, "min-p": 0.1, "length-penalty": 0.5, "top-k": 20, "top-p": 0.9, "repetition-penalty": 1.5,
        "repetition-penalty-decay": 0.3,
    }  # fmt: skip
    expected = [
        "repetition-penalty:penalty=1.5,decay=0.3", "length-penalty", "top-k:k=20", "top-p", "min-p:p=0.1",
        "temperature:t=0.8", "multinomial",
    ]  # fmt: skip
    assert described(flags) == expected
    assert described(dict(reversed(flags.items()))) == expected


def test_absent_and_neutral_flags_are_off() -> None:
    assert described({}) == ["temperature", "multinomial"]
    assert described({"top-p": None, "top-k": 0, "repetition-penalty": 1, "length-penalty": 0, "min-p": 0}) == [
        "temperature", "multinomial",
    ]  # fmt: skip
    assert described({"repetition-penalty-decay": 0.5}) == ["temperature", "multinomial"]


def test_zero_is_a_value() -> None:
    assert described({"top-p": 0})[0] == "top-p:p=0.0"


def test_temperature_zero_is_greedy_in_each_stage_by_its_own_flag() -> None:
    assert described({"ar-temp": 0}) == ["greedy"]
    assert described({"ar-temp": 0.5}, "nar") == ["greedy"]
    assert described({"nar-temp": 0.3, "top-p": 0.8}, "nar") == ["top-p:p=0.8", "temperature:t=0.3", "multinomial"]
    assert described({"ar-temp": 0.3}, "stt") == ["temperature:t=0.3", "multinomial"]


def test_filters_before_greedy_are_off_but_penalties_are_not() -> None:
    lines = described({"ar-temp": 0, "top-p": 0.5, "repetition-penalty": 1.2})
    assert lines[0] == "repetition-penalty" and lines[1].startswith("?top-p:p=0.5 (off: ") and lines[2] == "greedy"


def test_a_filter_matters_to_greedy_where_what_follows_changes_the_most_probable_token() -> None:
    plan = compile_chain(specs("top-k:1", "xtc:1", "top-p", "greedy"), "ar")
    assert [each.name for each in plan.transforms] == ["top-k", "xtc"]
    assert [each.name for each in compile_chain(specs("top-k:1", "xtc:0", "greedy"), "ar").transforms] == []


def test_a_least_temperature_makes_it_dynamic_up_to_the_temperature() -> None:
    assert described({"min-ar-temp": 0.3}) == ["dynamic-temperature:min=0.3,max=0.95", "multinomial"]
    assert described({"min-ar-temp": 0, "ar-temp": 1.5}) == ["dynamic-temperature:min=0.0,max=1.5", "multinomial"]
    assert described({"min-nar-temp": 0.1, "nar-temp": 0.4}, "nar") == [
        "dynamic-temperature:min=0.1,max=0.4", "multinomial",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "stage"),
    [({"min-ar-temp": 0.95}, "ar"), ({"min-ar-temp": 1.2, "ar-temp": 1.0}, "ar"), ({"min-nar-temp": 0.1}, "nar"),
     ({"min-ar-temp": -0.1}, "ar"), ({"ar-temp": -1}, "ar"), ({"top-p": 1.5}, "ar"), ({"ar-temp": "warm"}, "ar")],
)  # fmt: skip
def test_impossible_values_are_refused(flags: dict[str, object], stage: str) -> None:
    with pytest.raises(UsageError):
        described(flags, stage)


def test_an_explicit_chain_keeps_its_order_and_replaces_the_default_one() -> None:
    assert described({}, "ar", "min-p:0.1", "top-k:5") == ["min-p:p=0.1", "top-k:k=5", "multinomial"]


def test_a_temperature_flag_joins_an_explicit_chain_just_before_the_selector() -> None:
    assert described({"ar-temp": 0.7}, "ar", "top-k:5", "multinomial") == [
        "top-k:k=5", "temperature:t=0.7", "multinomial",
    ]  # fmt: skip
    assert described({"ar-temp": 0.7, "min-ar-temp": 0.2}, "ar", "top-k:5") == [
        "top-k:k=5", "dynamic-temperature:min=0.2,max=0.7", "multinomial",
    ]  # fmt: skip
    assert described({"ar-temp": 0}, "ar", "repetition-penalty")[-1] == "greedy"
    assert described({"nar-temp": 0.7}, "ar", "top-k:5") == ["top-k:k=5", "multinomial"]


@pytest.mark.parametrize(
    ("flags", "chain", "spelling"),
    [({"top-p": 0.9}, ("min-p",), "--sampler top-p:0.9 in"),
     ({"ar-temp": 0.7}, ("temperature:0.5",), "temperature:0.7 in"),
     ({"ar-temp": 0}, ("top-k", "multinomial"), "greedy"),
     ({"dry-multiplier": 0.8, "dry-base": 2}, ("top-k",), "--sampler dry:multiplier=0.8,base=2.0 in"),
     ({"min-ar-temp": 0.3, "ar-temp": 0.8}, ("temperature:0.5",), "dynamic-temperature:min=0.3,max=0.8 in")],
)  # fmt: skip
def test_other_flags_beside_an_explicit_chain_are_refused_with_the_spelling(
    flags: dict[str, object], chain: tuple[str, ...], spelling: str
) -> None:
    with pytest.raises(UsageError) as caught:
        described(flags, "ar", *chain)
    assert spelling in caught.value.render()


@pytest.mark.parametrize(
    ("flags", "said"),
    [({"dry-base": 2.0}, "--sampler dry:base=2"), ({"dry-allowed-length": 3, "top-p": 1.0}, "dry:allowed-length=3")],
)
def test_a_flag_that_switches_nothing_on_is_refused_beside_a_chain(flags: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match="does nothing beside --sampler") as caught:
        chain_from_flags(KNOWN, flags, "ar", explicit=specs("top-p:0.9"))
    assert said in str(caught.value.try_)
    assert chain_from_flags(KNOWN, {"top-p": 1.0}, "ar", explicit=specs("top-p:0.9")), "a neutral value says nothing"



def test_temperature_zero_may_accompany_a_chain_whose_selector_is_off() -> None:
    assert described({"ar-temp": 0}, "ar", "top-k:3", "quadratic", "mirostat:0")[2] == "greedy"


def test_unusual_order_is_kept_and_warned_about() -> None:
    plan = compile_chain(specs("top-p", "repetition-penalty"), "ar")
    assert [each.name for each in plan.transforms] == ["top-p", "repetition-penalty"]
    assert plan.warnings == ("repetition-penalty comes after top-p; it usually comes before",)
    assert compile_chain(specs("repetition-penalty", "top-p", "temperature", "greedy"), "ar").warnings == ()
    assert "2 times" in compile_chain(specs("top-p:0.9", "top-p:0.8"), "ar").warnings[0]


def test_a_neutral_stage_is_dropped_and_shown_as_off() -> None:
    plan = compile_chain(specs("top-k:0", "top-p:1", "temperature:1", "min-p"), "ar")
    assert plan.describe() == [
        "?top-k:k=0 (off: neutral)", "?top-p:p=1.0 (off: neutral)", "?temperature:t=1.0 (off: neutral)", "min-p",
        "multinomial",
    ]  # fmt: skip
    assert [stage.name for stage in plan.build(BuildContext()).stages] == ["min-p"]


@pytest.mark.parametrize(
    ("chain", "stage", "reason"),
    [(("greedy", "multinomial"), "ar", "two selectors"), (("greedy", "top-p"), "ar", "behind greedy"),
     (("repetition-penalty",), "nar", "NAR levels"), (("length-penalty",), "nar", "no stop token")],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_reason(chain: tuple[str, ...], stage: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        compile_chain(specs(*chain), stage)
    assert reason in caught.value.render()


def test_a_chain_put_the_wrong_way_round_is_answered_with_the_right_way() -> None:
    with pytest.raises(UsageError) as caught:
        compile_chain(specs("greedy", "top-p:0.5"), "ar")
    assert caught.value.try_ == "--sampler top-p:p=0.5 --sampler greedy"


def test_temperature_zero_in_a_chain_takes_the_maximum() -> None:
    plan = compile_chain(specs("top-k:5", "temperature:0"), "ar")
    assert plan.describe()[-1] == "greedy"
    assert "off" in compile_chain(specs("temperature:0", "multinomial"), "ar").record()[-1]


def test_a_record_repeats_the_chain() -> None:
    plan = compile_chain(specs("repetition-penalty:1.3,decay=0.5", "top-p:0.8", "dynamic-temperature:min=0.2"), "ar")
    record = json.loads(json.dumps(plan.record()))
    again = [as_sampler((entry["name"], entry["parameters"])) for entry in record]
    assert compile_chain(again, "ar") == plan
    assert compile_chain([as_sampler(entry["spec"]) for entry in record], "ar") == plan


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys; from vall_e_core import Registry\n"
        "from vall_e_core.sampling.running import chain_from_flags, compile_chain\n"
        "plan = compile_chain(chain_from_flags(Registry.load().samplers(), {'top-p': 0.9}, 'ar'), 'ar')\n"
        "assert plan.describe() == ['top-p', 'multinomial'], plan.describe(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
