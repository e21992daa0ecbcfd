"""What SSML's `say-as` does to the words in it; what it doesn't know stays for the normalizers."""

from __future__ import annotations

import re

_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}


def said_as(text: str, kind: str, layout: str, *, english: bool) -> str:
    """`text` written so that it is read as it is meant.

    Args:
        kind: `interpret-as`.
        layout: `format`, such as `dmy` for a date.
        english: whether ordinals get an English ending.
    """
    kind = kind.strip().lower()
    if kind in ("characters", "spell-out", "verbatim", "letters"):
        return " ".join(char.upper() if char.isalpha() else char for char in text if not char.isspace())
    if kind == "digits":
        return " ".join(char for char in text if not char.isspace())
    if kind == "telephone":
        groups = re.findall(r"\+|\d+|[A-Za-z]+", text)
        return ", ".join(" ".join(group) if group.isdigit() else group for group in groups).replace("+, ", "+ ")
    if kind == "ordinal" and text.isdigit():
        return f"{text}{_ending(int(text))}" if english else f"{text}."
    if kind == "date":
        return _date(text, layout.strip().lower())
    if kind in ("expletive", "bleep"):
        return ""
    return text


def _ending(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else _SUFFIXES.get(number % 10, "th")


def _date(text: str, layout: str) -> str:
    """A date in numbers, year first, which can't be misread."""
    numbers = re.findall(r"\d+", text)
    if sorted(layout) != ["d", "m", "y"] or len(numbers) != 3:
        return text
    given = dict(zip(layout, numbers, strict=True))
    if len(given["y"]) != 4:
        return text
    return f"{given['y']}-{int(given['m']):02d}-{int(given['d']):02d}"
