"""Components: one declaration, and everything that follows from it."""

from __future__ import annotations

import dataclasses
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vall_e_core import Component, ComponentError, Flag, Sampler, param


@dataclass(frozen=True)
class Dry(Sampler):
    """Penalise what repeats.

    A second paragraph.
    """

    name = "dry"
    place = "penalties"
    multiplier: float = param(
        0.8, primary=True, min=0.0, neutral=0.0, help="scale",
        flags=(Flag("--dry-multiplier"), Flag("--n-dry", stage="nar")),
    )  # fmt: skip
    base: float = param(1.75, min=1.0, exclusive_min=True, help="base of the exponent", flags=(Flag("--dry-base"),))
    allowed_length: int = param(2, min=0, max=100, unit="tokens", help="free repeats")
    mode: Literal["exact", "loose"] = param("exact", help="how to compare")
    exempt: tuple[int, ...] = param((), help="ids that are free")
    bias: Mapping[int, float] = param({}, help="by id")
    trace: Path | None = param(None, help="where to write")
    ceiling: float = param(math.inf, max=math.inf, help="may be infinite")


@dataclass(frozen=True)
class Band(Component):
    """Two ends."""

    name = "band"
    high: int = param(help="upper end")
    low: int = param(0, help="lower end")

    def check(self) -> None:
        if self.low >= self.high:
            raise ValueError("low must be below high")


def test_defaults_and_identity() -> None:
    assert Dry() == Dry.from_mapping({}) == Dry.from_spec("")
    assert Dry.summary() == "Penalise what repeats."
    assert [each.key for each in Dry.params()][:3] == ["multiplier", "base", "allowed-length"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dry().base = 3.0  # type: ignore[misc]  # that it fails is the test
    assert pickle.loads(pickle.dumps(Dry(base=3.0))) == Dry(base=3.0)


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("0.5", {"multiplier": 0.5}),
        ("multiplier=0.5,base=2", {"multiplier": 0.5, "base": 2}),
        ("0.5, base = 2", {"multiplier": 0.5, "base": 2}),
        ("allowed_length=3", {"allowed-length": 3}),
        ("exempt=3+7,bias=1024@-2.5+7@1", {"exempt": [3, 7], "bias": {1024: -2.5, 7: 1}}),
        ("trace=none,mode=loose", {"mode": "loose"}),
        ("trace=/a=b", {"trace": "/a=b"}),
    ],
)
def test_spec_is_the_mapping(spec: str, values: dict[str, object]) -> None:
    assert Dry.from_spec(spec) == Dry.from_mapping(values)


def test_mapping_takes_text_and_both_spellings() -> None:
    assert Dry.from_mapping({"allowed_length": "3"}) == Dry.from_mapping({"allowed-length": 3}) == Dry(allowed_length=3)


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"alowed-length": 3}, "dry has no parameter 'alowed-length'", "did you mean allowed-length"),
        ({"base": 1.0}, "dry: base: must be above 1, not 1", None),
        ({"multiplier": -0.1}, "dry: multiplier: must be at least 0, not -0.1", None),
        ({"allowed-length": 101}, "must be at most 100, not 101", None),
        ({"allowed-length": "three"}, "expected a whole number, found 'three'", None),
        ({"multiplier": True}, "expected a number, found True", None),
        ({"multiplier": math.nan}, "found nan", None),
        ({"multiplier": math.inf}, "must be finite", None),
        ({"mode": "lose"}, "'lose' is none of exact, loose; did you mean loose", None),
        ({"allowed-length": 1, "allowed_length": 2}, "given twice", None),
    ],
)
def test_mistakes_are_named(values: dict[str, object], message: str, hint: str | None) -> None:
    with pytest.raises(ComponentError) as caught:
        Dry.from_mapping(values)
    assert message in caught.value.message
    assert caught.value.exit_code == 2
    assert hint is None or hint in str(caught.value.try_)


@pytest.mark.parametrize("spec", ["0.5,2", "base=2,0.5", "base=2,base=3", "nonsense=1", "=3"])
def test_malformed_specs(spec: str) -> None:
    with pytest.raises(ComponentError):
        Dry.from_spec(spec)


def test_made_directly_is_checked_too() -> None:
    assert isinstance(Dry(multiplier=1).multiplier, float)
    with pytest.raises(ComponentError, match="must be at least 0"):
        Dry(multiplier=-1)


def test_rules_between_parameters_and_required_ones() -> None:
    assert Band(high=3).high == 3
    with pytest.raises(ComponentError, match="band: low must be below high"):
        Band(low=3, high=3)
    with pytest.raises(ComponentError, match="band needs high"):
        Band.from_mapping({"low": 0})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "multiplier": st.floats(0, 1e6), "allowed-length": st.integers(0, 100),
            "mode": st.sampled_from(["exact", "loose"]), "exempt": st.lists(st.integers(), min_size=1),
            "bias": st.dictionaries(st.integers(), st.floats(-9, 9), min_size=1),
        },
    )
)  # fmt: skip
def test_round_trips(values: dict[str, object]) -> None:
    made = Dry.from_mapping(values)
    assert Dry.from_mapping(made.to_mapping()) == made
    assert Dry.from_mapping({**made.to_mapping(), **{}}).to_spec() == made.to_spec()
    name, _, rest = made.to_spec().partition(":")
    assert name == "dry" and Dry.from_spec(rest) == made


def test_a_default_that_can_change_is_never_shared() -> None:
    first, second = Dry(), Dry()
    assert first.bias is not second.bias


def test_neutral() -> None:
    assert Dry(multiplier=0).is_neutral() and not Dry().is_neutral()


def test_flags_switch_on_only_what_was_given() -> None:
    assert Dry.from_flags({}, "ar") is None
    assert Dry.from_flags({"top-p": 0.9}, "ar") is None
    assert Dry.from_flags({"dry-multiplier": 0.5}, "ar") == Dry(multiplier=0.5)
    assert Dry.from_flags({"dry-multiplier": 0.5}, "stt") == Dry(multiplier=0.5)
    assert Dry.from_flags({"dry-multiplier": 0.0}, "ar") is None
    assert Dry.from_flags({"dry-base": 2.0}, "ar") is None, "a base alone leaves the penalty off"
    assert Dry.from_flags({"dry-multiplier": 0.5}, "nar") is None
    assert Dry.from_flags({"n-dry": 0.5}, "nar") == Dry(multiplier=0.5)
    with pytest.raises(ComponentError, match="above 1"):
        Dry.from_flags({"dry-multiplier": 0.5, "dry-base": 0.5}, "ar")


def test_subclass_adds_parameters() -> None:
    @dataclass(frozen=True)
    class Wider(Dry):
        """Wider."""

        name = "wider"
        extra: int = param(1, help="one more")

    assert [each.name for each in Wider.params()][-1] == "extra"
    assert "extra" not in [each.name for each in Dry.params()]
    assert Wider.from_spec("0.5,extra=3") == Wider(multiplier=0.5, extra=3)
