"""Punctuation in phonemes: what a model has no entry for becomes a mark that it has, or nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Container

COMMAS, STOPS = "—–―‒;:、，；：", "…。｡．⋯"
_NEAREST = {**dict.fromkeys(COMMAS, ","), **dict.fromkeys(STOPS, "."), "！": "!", "？": "?", "‽": "?", "’": "'"}


def known_punctuation(phonemes: str, known: Container[str]) -> str:
    """`phonemes` with marks among the `known` characters alone: a dash as a comma, an ellipsis as a full stop; quotes,
    brackets and whatever else makes no difference in speech are left out. Letters, digits and blanks stay as they are.
    """
    made: list[str] = []
    for char in phonemes:
        if char in known or unicodedata.category(char)[0] != "P":
            made.append(char)
            continue
        mark = _NEAREST.get(char, "")
        if mark in known and mark:
            if made and made[-1] == " ":
                made.pop()  # a dash stands between blanks, a comma behind a word
            made.append(mark)
    return "".join(made)
