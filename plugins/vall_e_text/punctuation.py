"""Punctuation in phonemes: what a model has no entry for becomes a mark that it has, or nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

COMMAS, STOPS = "—–―‒;:、，；：،؛", "…。｡．⋯।۔։"
_NEAREST = {
    **dict.fromkeys(COMMAS, ","), **dict.fromkeys(STOPS, "."), "！": "!", "？": "?", "‽": "?", "؟": "?", "’": "'",
}  # fmt: skip
_ENDS = re.compile(rf"[.!?！？‽؟{STOPS}][\"'”’»)\]}}」』\s]*$")
_BEGINS = re.compile(rf"^[\s.!?,\-{COMMAS}{STOPS}]+")
_LOOSE = re.compile(rf"[\s,\-{COMMAS}]+$")


def known_punctuation(phonemes: str, known: Container[str]) -> str:
    """`phonemes` with marks among the `known` characters alone: a dash as a comma, an ellipsis as a full stop; quotes,
    brackets and whatever else makes no difference in speech are left out. Letters, digits and blanks stay as they are.
    """
    made: list[str] = []
    for at, char in enumerate(phonemes):
        if char in known or unicodedata.category(char)[0] != "P":
            made.append(char)
            continue
        mark = _NEAREST.get(char, "")
        if mark in known and mark:
            if made and made[-1] == " ":
                made.pop()  # a dash stands between blanks, a comma behind a word
            made.append(mark)
            following = phonemes[at + 1 : at + 2]
            letter = following.isalnum() or (following and unicodedata.category(following) in ("Lm", "Sk"))
            if " " in known and mark != "'" and letter:
                made.append(" ")  # words that a dash held together
    return "".join(made)


def begun(phonemes: str) -> str:
    """`phonemes` without marks at the beginning that end something: what they end was said before, or left out."""
    return _BEGINS.sub("", phonemes)


def with_stop(phonemes: str) -> str:
    """`phonemes` with a full stop at the end, unless a mark already ends a sentence there: without one a model doesn't
    know that nothing follows, and goes on."""
    if not phonemes.strip() or _ENDS.search(phonemes):
        return phonemes
    return f"{_LOOSE.sub('', phonemes)}."
