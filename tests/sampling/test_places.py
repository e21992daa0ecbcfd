"""Where samplers stand when nobody says: places, and what a third party's sampler can't change by standing anywhere."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from vall_e_core import BuildContext, Registry, Sampler, UsageError
from vall_e_core.kinds.sampler import PLACES
from vall_e_core.sampling import StatelessTransform
from vall_e_core.sampling.running import canonical, chain_from_flags, compile_chain

FIRST_PARTY = Registry.load(environ={}, third_party=False).samplers()
ORDER = [
    "cfg", "logit-bias", "min-length", "suppress", "repetition-penalty", "frequency-presence", "dry",
    "no-repeat-ngram", "length-penalty", "top-n-sigma", "top-h", "top-k", "tfs", "typical-p", "top-p", "top-a",
    "min-p", "epsilon", "eta", "p-less", "min-k", "p-step", "xtc", "hf", "dynamic-temperature", "temperature",
    "quadratic", "adaptive-p", "entropix", "greedy", "mirostat", "multinomial", "ras", "beam",
]  # fmt: skip
"""As it has been since the first samplers."""


def placed(name: str, place: str, **attributes: Any) -> type[Sampler]:
    """A sampler of a third party that changes nothing."""

    @dataclass(frozen=True)
    class Made(Sampler):
        """Nothing."""

        def build(self, ctx: BuildContext) -> StatelessTransform:
            """Return the transform."""
            return StatelessTransform()

    for key, value in {"name": name, "place": place, **attributes}.items():
        setattr(Made, key, value)
    return Made


def test_the_canonical_order_is_what_it_always_was() -> None:
    assert [each.name for each in canonical(FIRST_PARTY)] == ORDER
    assert [each.name for each in canonical(reversed(FIRST_PARTY))] == ORDER


@pytest.mark.parametrize("place", PLACES[:-2])
def test_a_third_party_s_sampler_changes_the_meaning_of_no_flag_wherever_it_stands(place: str) -> None:
    """A place is no role: standing among temperatures is not to set one, standing among bans not to prepare."""
    other = placed("a-third", place)
    known = [*FIRST_PARTY, other]
    chain = chain_from_flags(known, {"ar-temp": 0.7}, "ar", explicit=[other()])
    assert [each.name for each in chain] == ["a-third", "temperature", "multinomial"]
    flags = {"top-p": 0.9, "ar-temp": 0.7, "repetition-penalty": 1.2}
    assert chain_from_flags(known, flags, "ar") == chain_from_flags(FIRST_PARTY, flags, "ar")
    stages = compile_chain([other()], "ar").build(BuildContext()).stages
    assert [each.prepares for each in stages] == [False]


def test_only_what_sets_a_temperature_stands_in_the_way_of_the_temperature_s_flag() -> None:
    warm = placed("warm", "filters", sets_temperature=True)
    with pytest.raises(UsageError, match="--ar-temp can't be combined with --sampler"):
        chain_from_flags([*FIRST_PARTY, warm], {"ar-temp": 0.7}, "ar", explicit=[warm()])


def test_within_a_place_declarations_count_then_names() -> None:
    first, second = placed("zz", "filters", before=("aa",)), placed("aa", "filters")
    third, last = placed("mm", "filters", after=("aa",)), placed("bb", "filters")
    for order in itertools.permutations([first, second, third, last]):
        assert [each.name for each in canonical(order)] == ["zz", "aa", "mm", "bb"]


def test_declarations_that_contradict_each_other_end_in_the_order_of_names() -> None:
    pair = [placed("one", "filters", after=("two",)), placed("two", "filters", after=("one",))]
    assert [each.name for each in canonical(pair)] == ["one", "two"]


def test_what_a_third_party_offers_for_bad_takes_is_tried() -> None:
    from vall_e_tts.synthesis.ladder import ladder

    class Offering(Sampler):
        """Offers itself."""

        name = "offering"
        place = "penalties"

        @classmethod
        def retry(cls, chain: Any) -> tuple[str, list[Sampler]]:
            """Itself in front."""
            return "offered", [cls(), *chain]

    plan = compile_chain(chain_from_flags(FIRST_PARTY, {"top-p": 0.9}, "ar"), "ar")
    rungs = [(each.name, each.plan.describe()) for each in ladder(plan, [*FIRST_PARTY, Offering])]
    assert [name for name, _ in rungs] == ["as asked", "as asked", "ras", "cooler", "offered"]
    assert rungs[-1][1] == ["offering", "top-p", "multinomial"]
