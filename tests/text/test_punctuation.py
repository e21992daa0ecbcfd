"""Marks that a model has no entry for."""

from __future__ import annotations

import pytest

from vall_e_text import known_punctuation

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzəˈ 0")


@pytest.mark.parametrize(
    ("given", "marks", "expected"),
    [
        ("ab — cd", ".,", "ab, cd"), ("ab—cd", ".,", "ab, cd"), ("ab…", ".,", "ab."),
        ("ab…ˈcd…”", ".,", "ab. ˈcd."), ("“ab” (cd)", ".,", "ab cd"),
        ("ab; cd: e", ".,", "ab, cd, e"), ("ab! cd？", ".,!?", "ab! cd?"), ("— ab", ".,", ", ab"),
        ("ab — cd", ".,—", "ab — cd"), ("it’s", "'", "it's"), ("ab — cd", "", "ab  cd"), ("", ".", ""),
        ("ab § cd", ".", "ab  cd"),
    ],
)  # fmt: skip
def test_a_mark_becomes_one_that_the_model_has(given: str, marks: str, expected: str) -> None:
    assert known_punctuation(given, LETTERS | set(marks)) == expected


def test_what_is_no_punctuation_stays() -> None:
    """An unknown phoneme must not go by in silence."""
    assert known_punctuation("aʁ 9€", LETTERS) == "aʁ 9€"
