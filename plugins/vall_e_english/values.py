"""Amounts as they are written: whole, grouped, decimal, mixed with a fraction."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from .numbers import cardinal, decimal, fraction
from .words import listed

LITERAL = r"(?:(?:\d{1,3}(?:,\d{3}){1,12}|\d{1,2}(?:,\d\d){1,4},\d{3}|\d{1,40})(?:\.\d{1,40})?|\.\d{1,40})(?!\d)"
"""A number without a sign; bounded, so that no text makes a rule look far."""
VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"
MINUS = "-−–"
_VALUE = re.compile(
    rf"(?P<whole>\d{{1,4}})[ \-]?(?P<vulgar>[{VULGAR}])"
    rf"|(?P<alone>[{VULGAR}])"
    r"|(?P<mixed>\d{1,3})[ \-](?P<top>\d{1,2})/(?P<bottom>\d{1,3})(?![\d/])"
    r"|(?P<numerator>\d{1,3})/(?P<denominator>\d{1,3})(?![\d/])"
    r"|(?P<spaced>\d{1,3}(?: \d{3}){2,6})(?![\d,.]\d|\d)"
    rf"|(?P<literal>{LITERAL})"
)
SCALES = {
    "k": "thousand", "K": "thousand", "M": "million", "mn": "million", "mm": "million", "MM": "million",
    "mil": "million", "m": "million", "b": "billion", "B": "billion", "bn": "billion", "Bn": "billion",
    "bil": "billion", "t": "trillion", "T": "trillion", "tn": "trillion", "trn": "trillion",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion", "hundred": "hundred",
}  # fmt: skip
_BOTTOMS = listed("2 3 4 5 6 7 8 9 10 12 15 16 20 24 25 32 50 60 64 100 128 1000")
"""Denominators of fractions that are read as such."""


class Value(NamedTuple):
    """An amount: where it ends, its words, and its literal (empty for one with a fraction)."""

    end: int
    words: str
    literal: str
    one: bool
    """Whether what it counts stands in the singular."""
    part: bool = False
    """Whether it is a proper fraction with a numerator above one: "three quarters of a pound"."""

    @property
    def whole(self) -> bool:
        """Whether it is a whole number of digits alone."""
        return self.literal.isdecimal()


def read_value(text: str, pos: int, british: bool) -> Value | None:
    """The amount at a position, or None."""
    found = _VALUE.match(text, pos)
    if found is None:
        return None
    end = found.end()
    kind = found.lastgroup
    if kind in ("vulgar", "alone"):
        top, bottom = unicodedata.normalize("NFKC", found.group(kind)).split("⁄")
        return _fraction(end, found["whole"], top, bottom, british)
    if kind == "bottom" and found["bottom"] in _BOTTOMS and int(found["top"]) < int(found["bottom"]):
        return _fraction(end, found["mixed"], found["top"], found["bottom"], british)
    if kind == "denominator" and is_fraction(found["numerator"], found["denominator"]):
        return _fraction(end, None, found["numerator"], found["denominator"], british)
    if kind == "spaced":
        return Value(end, cardinal(found.group().replace(" ", ""), british), found.group(), False)
    literal = found["literal"] or next(filter(None, (found["mixed"], found["numerator"])))
    plain = literal.replace(",", "")
    return Value(pos + len(literal), decimal(literal, british), plain, plain == "1")


def is_denominator(number: str) -> bool:
    """Whether parts of this size have a name that is in use: "ninths", "hundredths"."""
    return number in _BOTTOMS


def is_fraction(numerator: str, denominator: str) -> bool:
    """Whether two numbers with a slash between them are read as a fraction, if nothing around says otherwise."""
    if denominator not in _BOTTOMS or numerator[0] == "0" or int(numerator) == int(denominator):
        return False
    improper = int(numerator) < 20 and int(denominator) in (2, 3, 4, 8) and int(numerator) % int(denominator) > 0
    return int(numerator) < int(denominator) or improper


def mixed(whole: str, top: str, bottom: str, british: bool) -> str:
    """A whole number and a fraction: "two and a half"."""
    part = fraction(top, bottom, british)
    return f"{cardinal(whole, british)} and " + (f"a {part[4:]}" if part.startswith("one ") else part)


def _fraction(end: int, whole: str | None, top: str, bottom: str, british: bool) -> Value:
    if whole:
        return Value(end, mixed(whole, top, bottom, british), "", False)
    words = fraction(top, bottom, british)
    if words == "one quarter":
        words = "a quarter"
    return Value(end, words, "", one=int(top) < int(bottom), part=1 < int(top) < int(bottom))
