"""Phonemizers that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from vall_e_core import BuildContext, InputError, Phonemizer, UsageError, param
from vall_e_core.testing import check_phonemizer


class Good:
    """A letter is a phoneme."""

    name = "made"

    def languages(self) -> Sequence[str]:
        return ["de", "en"]

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        if language not in ("de", "en"):
            raise UsageError(f"unknown language: {language!r}", try_="one of de, en")
        return [" ".join(text.lower().split()) for text in texts]


def phonemizer(model: Callable[[], Any], **attributes: object) -> type[Phonemizer]:
    """A component whose model is made by `model`."""

    @dataclass(frozen=True)
    class Made(Phonemizer):
        """A phonemizer for this test."""

        name = "made"

        def build(self, ctx: BuildContext) -> Any:
            return model()

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Made


def test_a_good_one_passes() -> None:
    assert check_phonemizer(phonemizer(Good)) == []


def wrong(work: Callable[[list[str]], object], **more: object) -> Callable[[], Any]:
    """A model that does `work` on what a good one gives."""
    phonemize = lambda self, texts, language: work(Good.phonemize(self, texts, language))  # noqa: E731
    return lambda: type("Wrong", (Good,), {"phonemize": phonemize, **more})()


class Counts(Good):
    calls = 0

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        self.calls += 1
        return [f"{each} {self.calls}" for each in super().phonemize(texts, language)]


def any_language(error: Exception | None) -> Callable[[], Any]:
    """A model that speaks unknown languages, or raises another error."""

    def phonemize(self: Good, texts: Sequence[str], language: str) -> list[str]:
        if error is not None and language not in ("de", "en"):
            raise error
        return Good.phonemize(self, texts, "en")

    return lambda: type("Wrong", (Good,), {"phonemize": phonemize})()


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "state between calls": (Counts, "the second time: keep no state between calls"),
    "one string for all texts": (wrong(lambda made: [" ".join(made)] if made else []), "gives 1 strings: return one"),
    "a string too many": (wrong(lambda made: [*made, "x"]), "3 texts in 'de' gives 4 strings"),
    "a text depends on the others": (
        wrong(lambda made: [f"{each} {len(made)}" for each in made]), "read each by itself"
    ),
    "an unknown language is spoken": (any_language(None), "speaks for the unknown language 'qqx': raise UsageError"),
    "an unknown language is a KeyError": (any_language(KeyError("qqx")), "raises KeyError: 'qqx' for the unknown"),
    "an unknown language is bad input": (any_language(InputError("no")), "raise UsageError that names the known"),
    "no list": (wrong(lambda made: tuple(made)), "return a list of strings"),
    "blanks at the ends": (wrong(lambda made: [f"{each} " for each in made]), "leave no blank at the ends"),
    "line ends": (wrong(lambda made: [each.replace(" ", "\n") for each in made]), "no line end"),
    "nothing for a text": (wrong(lambda made: ["" for _ in made]), "gives nothing: raise InputError"),
    "no languages": (wrong(lambda made: made, languages=lambda self: []), "return a list of language codes"),
    "no name": (wrong(lambda made: made, name=None), "has no attribute `name`"),
    "something raised": (wrong(lambda made: [made[5]]), "raises IndexError"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_one_is_caught(case: str) -> None:
    model, said = CASES[case]
    problems = check_phonemizer(phonemizer(model))
    assert any(said in each for each in problems), problems
    assert all("\n" not in each for each in problems)


def test_one_that_reads_phonemes_may_take_any_language() -> None:
    assert check_phonemizer(phonemizer(any_language(None), reads="phonemes")) == []


def test_a_forgotten_dataclass_is_caught() -> None:
    class Forgotten(Phonemizer):
        """A phonemizer for this test."""

        name = "made"
        extra: str = param("", help="put behind every text")

    (problem,) = check_phonemizer(Forgotten)
    assert "lacks @dataclass(frozen=True)" in problem
