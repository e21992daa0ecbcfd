"""Spellers that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from vall_e_core import BuildContext, Codec
from vall_e_core.testing import check_speller
from vall_e_stt import Speller


def letters(pieces: Sequence[str]) -> list[str]:
    """What is said, without marks."""
    return [" ".join("".join(char if char.isalpha() else " " for char in each).split()) for each in pieces]


def speller(work: Callable[[Sequence[str]], Any], **attributes: object) -> type[Speller]:
    """A component whose model returns what `work` makes of pieces."""

    @dataclass(frozen=True)
    class Made(Speller):
        """A speller for this test."""

        name = "made"
        languages = frozenset({"da"})

        def build(self, ctx: BuildContext) -> Any:
            return type("Model", (), {"spell": lambda self, pieces, language: work(pieces)})()

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Made


def test_a_good_one_passes() -> None:
    assert check_speller(speller(letters)) == []


class Counts:
    calls = 0

    def __call__(self, pieces: Sequence[str]) -> list[str]:
        self.calls += 1
        return [f"{each} {self.calls}" if each else "" for each in letters(pieces)]


def squared(pieces: Sequence[str]) -> list[str]:
    for each in pieces:
        for place in range(0, len(each), 8):
            each[place:].count("ə")
            sum(map(ord, each[place:]))
    return letters(pieces)


CASES: dict[str, tuple[Callable[[Sequence[str]], Any], str]] = {
    "no list": (lambda pieces: " ".join(letters(pieces)), "return a list of texts"),
    "one for all": (lambda pieces: [" ".join(letters(pieces))], "return one for each"),
    "empty ones left out": (lambda pieces: [each for each in letters(pieces) if each], "return one for each"),
    "no text": (lambda pieces: [None for _ in pieces], "return a list of texts"),
    "blanks at the ends": (lambda pieces: [f" {each} " for each in letters(pieces)], "none at the ends"),
    "words of nothing": (lambda pieces: [each or "tavs" for each in letters(pieces)], "an empty piece has an empty"),
    "nothing of words": (lambda pieces: ["" for _ in pieces], "write what has no word by its sound"),
    "state between calls": (Counts(), "keep no state between calls"),
    "what it doesn't know raises": (lambda pieces: [{}[each] for each in pieces], "leave out what it can't write"),
    "quadratic time": (squared, "bound what it looks at"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_one_is_caught(case: str) -> None:
    work, said = CASES[case]
    problems = check_speller(speller(work))
    assert any(said in each for each in problems), problems
    assert all("\n" not in each for each in problems)


def test_one_without_languages_and_one_without_the_method_are_caught() -> None:
    (problem,) = check_speller(speller(letters, languages=frozenset()))
    assert "languages must be a set of language codes" in problem
    (problem,) = check_speller(Codec)
    assert "is no speller" in problem
    (problem,) = check_speller(speller(letters, build=lambda self, ctx: object()))
    assert "has no method `spell`" in problem
