"""Numbers with a slash between them: fractions, ratings, splits: `1/2`, `9/10`, `24/7`, `120/80`."""

from __future__ import annotations

import re

from .dates import day_of_year
from .numbers import cardinal, fraction, in_pairs
from .place import Found, Place
from .values import is_fraction, read_value
from .words import listed

_FRACTION = re.compile(r"(\d{1,4})/(\d{1,4})(?:(?:rd|nd|th)s?(?![^\W_]))?(?![\d/]|[.,]\d)")
_FOR = re.compile(r"(\d{1,2})/(?=[$€£]\d)")
_ALWAYS_OPEN = re.compile(r"24/7/365(?![\d/])")
_SPECIAL = {
    "24/7": "twenty-four seven",
    "50/50": "fifty fifty",
    "20/20": "twenty twenty",
    "9/11": "nine eleven",
    "7/11": "seven eleven",
}
_RATINGS = listed("score scored rated rating rate got grade gets marks mark give gave gives scores a perfect result")
_COUNTED = listed("page part step slide sheet day round image photo chapter lesson episode disc")
_NOUN_AFTER = re.compile(r" (?:of|cups?|inch|inches|miles?|teaspoons?|tablespoons?|pounds?|lbs?|oz)\b")


def slashed(place: Place) -> Found | None:
    """`1/2`, `24/7`, `9/10`, `120/80`."""
    if found := _FOR.match(place.text, place.pos):
        return Found(found.end(), f"{cardinal(found[1])} for ")
    if found := _ALWAYS_OPEN.match(place.text, place.pos):
        return Found(found.end(), "twenty-four seven, three sixty-five")
    found = _FRACTION.match(place.text, place.pos)
    value = read_value(place.text, place.pos, place.british)
    if found is None:
        if value is not None and not value.literal:
            tail = " " if place.adjoins(value.end).isalnum() else ""
            return Found(value.end, after_article(place, value.words) + tail)
        return None
    if place.left() == "/":
        return None
    spoken = _SPECIAL.get(found.group())
    if spoken is None:
        top, bottom = found[1], found[2]
        if place.after(found.end()) in ("time", "meter"):  # of music
            spoken = f"{cardinal(top)} {cardinal(bottom)}"
        elif place.before().lower() in _COUNTED:
            spoken = f"{cardinal(top)} of {cardinal(bottom)}"
        elif (
            int(bottom) in (5, 10, 20, 25, 50, 100)
            and int(top) <= int(bottom)
            and _is_rating(place, found.end(), bottom)
        ):
            spoken = f"{cardinal(top)} out of {cardinal(bottom)}"
        elif is_fraction(top, bottom):
            spoken = fraction(top, bottom, place.british)
            spoken = after_article(place, "a quarter" if spoken == "one quarter" else spoken)
        elif int(top) + int(bottom) == 100 and int(top) > 9 and int(bottom) > 9:  # a split
            spoken = f"{cardinal(top)} {cardinal(bottom)}"
        elif len(top) in (2, 3) and len(bottom) in (2, 3) and int(top) > int(bottom):
            spoken = f"{in_pairs(top)} over {in_pairs(bottom)}"
        elif top == bottom:
            spoken = f"{cardinal(top)} out of {cardinal(bottom)}"
        else:
            plain = f"{cardinal(top, place.british)} slash {cardinal(bottom, place.british)}"
            spoken = day_of_year(top, bottom, place.british) or plain
    return Found(found.end(), spoken)


def after_article(place: Place, words: str) -> str:
    """A fraction without its own article where one stands before it: `a ¼ pound`."""
    if place.before().lower() not in ("a", "an", "the"):
        return words
    return words.removeprefix("a ").removeprefix("one ")


def _is_rating(place: Place, end: int, bottom: str) -> bool:
    if _NOUN_AFTER.match(place.text, end):
        return False
    before = place.before().lower()
    if place.left() == "(" and place.adjoins(end) == ")" and bottom in ("5", "10", "100"):
        return True
    if before in _RATINGS or place.text[max(0, place.pos - 2) : place.pos].strip() == ":":
        return True
    return bottom == "10" and (place.pos == 0 or place.adjoins(end) in ("", ".", "!"))
