"""Numbers with a slash between them: fractions, ratings, splits: `1/2`, `9/10`, `24/7`, `120/80`."""

from __future__ import annotations

import re

from .dates import day_of_year
from .letters import spell
from .numbers import cardinal, fraction, in_pairs
from .place import Found, Place
from .units import read_unit
from .values import is_denominator, is_fraction, read_value
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
_QUOTIENT = re.compile(r"(?:(?P<d>d[a-z]?/d[a-z])|[a-z]/[a-z])(?![\w/])")
_SIGN_BEHIND = re.compile(r" ?[=+*^<>≤≥≈≠×·−]")
_SHAPES = {
    "16/9": "sixteen by nine",
    "16/10": "sixteen by ten",
    "21/9": "twenty-one by nine",
    "4/3": "four by three",
    "3/2": "three by two",
}
_PICTURES = listed("screen format picture image video monitor display television tv aspect photo frame player film")
"""What has a shape that is named by two numbers."""
_NOUN_AFTER = re.compile(r" (?:of|cups?|inch|inches|miles?|teaspoons?|tablespoons?|pounds?|lbs?|oz)\b")


def slashed(place: Place) -> Found | None:
    """`1/2`, `24/7`, `9/10`, `120/80`."""
    if found := _FOR.match(place.text, place.pos):
        return Found(found.end(), f"{cardinal(found[1])} for ")
    if found := _ALWAYS_OPEN.match(place.text, place.pos):
        return Found(found.end(), "twenty-four seven, three sixty-five")
    found = _FRACTION.match(place.text, place.pos)
    if found is None:
        value = read_value(place.text, place.pos, place.british)
        if value is not None and not value.literal:
            tail = " " if place.adjoins(value.end).isalnum() else ""
            return Found(value.end, after_article(place, value.words) + tail)
        return None
    if place.left() == "/":
        return None
    spoken = _SPECIAL.get(found.group())
    if spoken is None:
        top, bottom = found[1], found[2]
        if found.group() in _SHAPES and _is_shape(place, found.end()):
            spoken = _SHAPES[found.group()]
        elif place.after(found.end()) in ("time", "meter"):  # of music
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
        elif "0" in (top[0], bottom[0]) and len(top) == len(bottom) == 2 and day_of_year(top, bottom, place.british):
            spoken = day_of_year(top, bottom, place.british)
        elif len(top) in (2, 3) and len(bottom) in (2, 3) and int(top) > int(bottom):
            spoken = f"{in_pairs(top)} over {in_pairs(bottom)}"
            if unit := read_unit(place.text, found.end()):
                return Found(unit.end, f"{spoken} {unit.many}")
        elif not place.british and int(top) > 12 and is_denominator(bottom):  # no month
            spoken = fraction(top, bottom)
        elif top == bottom:
            spoken = f"{cardinal(top)} out of {cardinal(bottom)}"
        else:
            plain = f"{cardinal(top, place.british)} slash {cardinal(bottom, place.british)}"
            spoken = day_of_year(top, bottom, place.british) or plain
    return Found(found.end(), spoken)


def quotient(place: Place) -> Found | None:
    """Letters of a formula divided by one another: `a/b = c`, `dy/dx`."""
    if place.left().isalnum() or place.left() == "/":
        return None
    found = _QUOTIENT.match(place.text, place.pos)
    if found is None:
        return None
    behind_sign = place.text[max(0, place.pos - 2) : place.pos].strip()[-1:] in tuple("=+*^<>−")
    if not (found["d"] or behind_sign or _SIGN_BEHIND.match(place.text, found.end())):
        return None
    return Found(found.end(), " over ".join(map(spell, found.group().split("/"))))


def after_article(place: Place, words: str) -> str:
    """A fraction without its own article where one stands before it: `a ¼ pound`."""
    if place.before().lower() not in ("a", "an", "the"):
        return words
    return words.removeprefix("a ").removeprefix("one ")


def _is_shape(place: Place, end: int) -> bool:
    near = (place.after(end), place.before(), place.before(count=2), place.before(count=3))
    return any(word.lower() in _PICTURES for word in near)


def _is_rating(place: Place, end: int, bottom: str) -> bool:
    if _NOUN_AFTER.match(place.text, end):
        return False
    before = place.before().lower()
    if place.left() == "(" and place.adjoins(end) == ")" and bottom in ("5", "10", "100"):
        return True
    if before in _RATINGS or place.text[max(0, place.pos - 2) : place.pos].strip() == ":":
        return True
    return bottom == "10" and (place.pos == 0 or place.adjoins(end) in ("", ".", "!"))
