"""Stretches of a text that markup puts into another language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from vall_e_core import PluginError, Replacement, UsageError
from vall_e_text import FrontEnd, Words, other_languages, read, split

TEXT = '<speak>At 2 <lang xml:lang="de">um 2</lang>, <s xml:lang="en_GB">at 2</s> and 2.</speak>'


class Shown:
    """A phonemizer that says in which language it was asked."""

    name = "shown"

    def languages(self) -> Sequence[str]:
        return ["de", "en"]

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        if language not in self.languages():
            raise UsageError(f"unknown language: {language!r}")
        return [f"{language}({text.strip()})" for text in texts]


class Digits:
    def __init__(self, word: str) -> None:
        self.word = word

    def replacements(self, text: str, language: str) -> Iterable[Replacement]:
        return [Replacement(at, at + 1, f"{self.word}-{language}") for at, char in enumerate(text) if char == "2"]


def front(**others: str) -> FrontEnd:
    english = (("digits", Digits("two")),)
    return FrontEnd(
        Shown(), "en", english,
        {code.replace("_", "-"): FrontEnd(Shown(), language, english) for code, language in others.items()},
    )  # fmt: skip


def heard(made: FrontEnd, text: str = TEXT) -> str:
    return " ".join(made.phonemes(split(made.spoken(read(text).pieces), min_seconds=0)))


def test_b16_each_language_is_read_by_what_reads_it() -> None:
    made = front(de="de", en_gb="en-gb")
    assert heard(made) == "en(At two-en) de(um two-de) en(,). en(at two-en-gb). en(and two-en.)"
    assert heard(made.without({"de"})) == "en(At two-en um two-en,). en(at two-en-gb). en(and two-en.)"


def test_b16_languages_are_inherited_and_listed_once() -> None:
    pieces = read('<speak xml:lang="fr">un <s>deux <lang xml:lang="EN">two</lang></s> trois</speak>').pieces
    said = [(each.text.strip(), each.language) for each in pieces if isinstance(each, Words) and each.text.strip()]
    assert said == [("un", "fr"), ("deux", "fr"), ("two", "en"), ("trois", "fr")]
    assert other_languages(pieces, "en") == ["fr"]


@pytest.mark.parametrize("made", [[], ["a", "b"], [None], "a", None, 3, ["a" * 10**5]])
def test_i1a_a_phonemizer_that_returns_something_else_is_named(
    monkeypatch: pytest.MonkeyPatch, made: object
) -> None:
    monkeypatch.setattr(Shown, "phonemize", lambda self, texts, language: made)
    with pytest.raises(PluginError, match=r"the phonemizer shown returned .* for (1 texts, not one|a text of 5)"):
        FrontEnd(Shown(), "en").phonemes_of("hello")
