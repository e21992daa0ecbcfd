"""Words that were to be said against words that were heard: normalized as Whisper's authors do, then counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .extras import INSTALL_JUDGES, need
from .phones import Errors, count_errors


@lru_cache(maxsize=1)
def _english() -> Any:  # noqa: ANN401 - the package is untyped
    return need("whisper_normalizer.english", "the judge whisper", INSTALL_JUDGES).EnglishTextNormalizer()


def scored(text: str) -> list[str]:
    """English words as they are compared: no case or punctuation, numbers in digits, contractions written out.

    What the package leaves undone: dots of an ellipsis would count as words, "o'clock" be read as a zero, and "three
    thirty" differ from "3:30", so adjacent digits become one number.

    Raises:
        ModelError: the normalizer isn't installed.
    """
    plain = re.sub(r"\bo['’]\s?clock\b", "oclock", re.sub(r"\.{2,}|…", " ", text), flags=re.IGNORECASE)
    return re.sub(r"(?<=\d) (?=\d)", "", str(_english()(plain))).split()


def word_errors(wanted: str, heard: str) -> Errors:
    """How many words were put in, left out or replaced, and how many were to be said.

    Two words count as the one word that the other side has in their place: file name and filename.

    Raises:
        ModelError: the normalizer isn't installed.
    """
    left, right = scored(wanted), scored(heard)
    return count_errors(_compounds(left, right), _compounds(right, left))


def _compounds(words: Sequence[str], other: Sequence[str]) -> list[str]:
    known = set(other) - set(words)
    found: list[str] = []
    for word in words:
        if found and found[-1] + word in known:
            found[-1] += word
        else:
            found.append(word)
    return found
