"""Normalizers that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from vall_e_core import BuildContext, Normalizer, Replacement, param
from vall_e_core.testing import check_normalizer

DIGITS = re.compile("[0-9]+")


class Good:
    """Says how many digits a number has."""

    def replacements(self, text: str, language: str) -> Iterator[Replacement]:
        for found in DIGITS.finditer(text):
            yield Replacement(found.start(), found.end(), "ni " * len(found.group()))


def normalizer(model: Callable[[], Any], **attributes: object) -> type[Normalizer]:
    """A component whose model is made by `model`."""

    @dataclass(frozen=True)
    class Made(Normalizer):
        """A normalizer for this test."""

        name = "made"
        languages = frozenset({"da"})

        def build(self, ctx: BuildContext) -> Any:
            return model()

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Made


def test_a_good_one_passes() -> None:
    assert check_normalizer(normalizer(Good, idempotent=True)) == []


def wrong(work: Callable[[str], Iterable[object]]) -> Callable[[], Any]:
    """A model that returns what `work` makes of a text."""
    return lambda: type("Wrong", (), {"replacements": lambda self, text, language: work(text)})()


def at_digits(make: Callable[[int, int], object]) -> Callable[[], Any]:
    """A model that returns something for every number in a text."""
    return wrong(lambda text: [make(found.start(), found.end()) for found in DIGITS.finditer(text)])


class Counts:
    calls = 0

    def replacements(self, text: str, language: str) -> Iterator[Replacement]:
        self.calls += 1
        for found in DIGITS.finditer(text):
            yield Replacement(found.start(), found.end(), f"tal {self.calls}")


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "not idempotent, though it promises": (
        at_digits(lambda a, b: Replacement(a, b, "nummer 1")), "promises `idempotent`"
    ),
    "the words around are lost": (
        wrong(lambda text: [Replacement(0, len(text), "tal")] if DIGITS.search(text) else []), "loses the word 'lomu'"
    ),
    "what it can't read is dropped": (
        at_digits(lambda a, b: Replacement(a, b, " ")), "say it in words, or leave it alone"
    ),
    "after the end of the text": (at_digits(lambda a, b: Replacement(a, b + 99, "tal")), "stay within it"),
    "before the beginning": (at_digits(lambda a, b: Replacement(-1, b, "tal")), "stay within it"),
    "the end before the start": (at_digits(lambda a, b: Replacement(b, a, "tal")), "stay within it"),
    "out of order": (
        wrong(lambda text: [Replacement(m.start(), m.end(), "tal") for m in DIGITS.finditer(text)][::-1]),
        "go in order, without overlap",
    ),
    "no replacement": (at_digits(lambda a, b: (a, b, "tal")), "return Replacement(start, end, text) values"),
    "a line end": (at_digits(lambda a, b: Replacement(a, b, "tal\n")), "leave out control characters"),
    "state between calls": (Counts, "the second time: keep no state between calls"),
    "what it doesn't know raises": (
        wrong(lambda text: [] if text.isascii() else [1 // 0]), "leave alone what it can't read"
    ),
    "no method": (object, "has no method `replacements`"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_one_is_caught(case: str) -> None:
    model, said = CASES[case]
    problems = check_normalizer(normalizer(model, idempotent=True))
    assert any(said in each for each in problems), problems
    assert all("\n" not in each for each in problems)


def test_idempotence_is_asked_only_of_one_that_promises_it() -> None:
    assert check_normalizer(normalizer(CASES["not idempotent, though it promises"][0])) == []


def test_one_without_languages_and_one_without_a_dataclass_are_caught() -> None:
    (problem,) = check_normalizer(normalizer(Good, languages=frozenset()))
    assert "languages must be a set of language codes" in problem

    class Forgotten(Normalizer):
        """A normalizer for this test."""

        name = "made"
        languages = frozenset({"da"})
        crowns: str = param("kroner", help="what crowns are called")

    (problem,) = check_normalizer(Forgotten)
    assert "lacks @dataclass(frozen=True)" in problem
