"""Amounts with what they count: `15%`, `72°F`, `5 km`, `10–15 min`, `3x`."""

from __future__ import annotations

import re
from typing import NamedTuple

from .numbers import cardinal, decimal, in_pairs
from .place import Found, Place
from .units import counts_in_words, read_unit
from .values import LITERAL, MINUS, VULGAR, Value, read_value
from .words import listed

_SIGN = re.compile(rf"([{MINUS}+±~≈<>≥≤]) ?(?=[\d.½¼¾])")
_SIGNS = {
    "+": "plus", "±": "plus or minus", "~": "about", "≈": "about", "<": "less than", ">": "more than",
    "≥": "at least", "≤": "at most",
}  # fmt: skip
_TO = re.compile(r" ?[-–—] ?(?=[\d.½¼¾$€£])| ?[x×] ?(?=\d)|(?:±| ± )(?=\d)")
_OR = re.compile(r" ?/ ?(?=[\d.½¼¾])")
"""Between an amount and the same in another measure: `200g/7oz`."""
_ALIKE = (
    frozenset(("gram", "kilogram", "milligram", "ounce", "pound", "ton", "stone")),
    frozenset(("liter", "milliliter", "deciliter", "cup", "pint", "quart", "gallon", "fluid ounce", "ounce",
               "teaspoon", "tablespoon")),
    frozenset(("meter", "kilometer", "centimeter", "millimeter", "mile", "yard", "foot", "inch")),
    frozenset(("degree Celsius", "degree Fahrenheit")),
    frozenset(("mile per hour", "kilometer per hour")),
)  # fmt: skip
"""Units of the same kind."""
_DEGREE = re.compile(r" ?(?:[°º˚] ?([CFKNSEW](?![^\W_]))?|([℃℉]))")
_DEGREES = {
    "C": "Celsius", "F": "Fahrenheit", "K": "Kelvin", "N": "north", "S": "south", "E": "east", "W": "west",
    "℃": "Celsius", "℉": "Fahrenheit", "": "",
}  # fmt: skip
_BARE_DEGREES = re.compile(r"(\d{2,3}(?:\.\d)?)([FC])\b(?!-)")
_HEAT = listed(
    "temp temperature max min high low at to is was of below above under over reach reached hit near around about oven"
)
_PERCENT = re.compile(r"(\+?) ?([%‰])")
_TIMES = re.compile(r"[x×](?![^\W_])(?! ?[\d+\-−=*/^)])")
_FEET = re.compile(rf"({LITERAL})['’′] ?(?:(\d{{1,2}})(½|¼|¾)?(?:\"|”|″|'')?)?(?![^\W_])")
_ADDED = re.compile(r"(45|90|105|120)(?:['’′] ?\+ ?(\d{1,2})(?!\d)['’′]?|\+(\d{1,2})['’′])(?![^\W_])")
_ARC = re.compile(
    r"(\d{1,3})[°º] ?(\d{1,2})(?:['’′] ?(?:(\d{1,2}(?:\.\d{1,6})?)(?:\"|”|″|''))?)(?: ?([NSEW])(?![^\W_]))?"
)
_INCHES = re.compile(r"[\"”″]|''")
_CLOSED = re.compile(rf'(?:[^"“”]+|(?<=[\d{VULGAR}])["“”]|["“”][^"“”]*["“”])*')
"""Inches, and quotations that have ended."""
_DOTTED_UNITS = listed("oz lb lbs tbsp tsp tbsps tsps gal qt pt")
"""Units that are written with a full stop: a capital behind it needn't begin a sentence."""
_ARTICLES = listed("a an the this that my your his her its our their one each every another no any new old")
_NOT_NOUNS = listed("""
    of long wide tall high deep thick away and or in on at to from per for by is are was were with than as up down
    into more less off over under above below between if when while that which who but ahead behind south north east
    west after before each every apart he she it they we you i the a an this so not all total only just about have
    has had will would can could may might must should do does did then old today tomorrow now again later ago onto
    out
    """)


class _Suffix(NamedTuple):
    """What stands behind an amount."""

    end: int
    one: str
    many: str


def quantity(place: Place) -> Found | None:
    """An amount, or a range of amounts, with a sign of what it counts; None where there is no such sign."""
    text, sign, pos = place.text, "", place.pos
    signed = _SIGN.match(text, pos)
    if signed is not None:
        if not _may_sign(place, signed.end() - signed.start() > 1):
            return None
        sign, pos = _SIGNS.get(signed.group(1), "minus" if signed.group(1) in MINUS else ""), signed.end()
    measure = _measure(place, pos)
    if measure is None:
        return None
    spoken, suffix = measure
    other = _OR.match(text, suffix.end)
    if other is not None:
        second = _measure(place, other.end())
        if second is not None and _are_alike(suffix.one, second[1].one):
            spoken, suffix = f"{spoken} or {second[0]}", second[1]
    if text[place.pos] == "." and place.left().strip():
        spoken = f" {spoken}"
    return close(place, suffix.end, f"{sign} {spoken}" if sign else spoken)


def _measure(place: Place, pos: int) -> tuple[str, _Suffix] | None:
    """The amount at a position, or a range of them, in words, with what they count; None where they count nothing."""
    text = place.text
    value = read_value(text, pos, place.british)
    if value is None:
        return None
    words, last, suffix = _row(place, value)
    if suffix is None:
        return None
    singular = last.one and words == value.words
    if not singular and (text[last.end : last.end + 1] == "-" or is_adjective(place, suffix.end)):
        singular = True
    name = suffix.one if singular else suffix.many
    if last.part and not suffix.one.endswith("percent") and not suffix.one.startswith("degree"):
        name = f"of {'an' if suffix.one[0] in 'aeiou' else 'a'} {suffix.one}"
    return f"{words} {name}".rstrip(), suffix


def _are_alike(one: str, other: str) -> bool:
    return one != other and any(one in units and other in units for units in _ALIKE)


def arc(place: Place) -> Found | None:
    """Coordinates: `40°26′46″N`."""
    found = _ARC.match(place.text, place.pos)
    if found is None:
        return None
    parts = [f"{cardinal(found[1])} degrees", f"{cardinal(found[2])} minutes"]
    if found[3]:
        parts.append(f"{decimal(found[3])} seconds")
    if found[4]:
        parts.append(_DEGREES[found[4]])
    return Found(found.end(), " ".join(parts))


def added_time(place: Place) -> Found | None:
    """Minutes of a match: `90+3'`, `45'+2`."""
    found = _ADDED.match(place.text, place.pos)
    return None if found is None else Found(found.end(), f"{cardinal(found[1])} plus {cardinal(found[2] or found[3])}")


def feet(place: Place) -> Found | None:
    """Heights: `5'11"` as "five foot eleven", `6'` as "six feet"."""
    found = _FEET.match(place.text, place.pos)
    if found is None or (not found[2] and _in_quotes(place, "'’")):
        return None
    value = read_value(place.text, place.pos, place.british)
    if value is None:
        return None
    if found[2]:
        end = found.end()
        other = _OR.match(place.text, end)
        second = None if other is None else _measure(place, other.end())
        if second is not None and second[1].one in ("centimeter", "meter"):
            inches = in_pairs(found[2])
            return close(place, second[1].end, f"{value.words} foot {inches} or {second[0]}")
        inches = in_pairs(found[2]) if not found[3] else f"{in_pairs(found[2])} and a half"
        return Found(found.end(), f"{value.words} foot {inches}")
    following = place.after(found.end())
    name = "foot" if value.one or (following.islower() and is_adjective(place, found.end())) else "feet"
    return Found(found.end(), f"{value.words} {name}")


def close(place: Place, end: int, spoken: str) -> Found:
    """A finding whose abbreviation may have a full stop: kept where a sentence ends with it, else dropped."""
    text = place.text
    if text[end : end + 1] == "." and text[end - 1].isalpha() and not text[end + 1 : end + 2].isalnum():
        sign = text[:end].rpartition(" ")[2] if end < 64 else text[end - 64 : end].rpartition(" ")[2]
        capital = place.after(end + 1)[:1].isupper() and text[end + 1 : end + 2] == " "
        ends = place.ends_sentence(end + 1) or (capital and sign.lstrip("0123456789.,-") not in _DOTTED_UNITS)
        return Found(end + 1, f"{spoken}." if ends and text[end + 1 : end + 2] != "." else spoken)
    tail = " " if text[end : end + 1].isalnum() else ""
    return Found(end, spoken + tail)


def _row(place: Place, value: Value) -> tuple[str, Value, _Suffix | None]:
    """The amounts of a range or of dimensions in words, the last one, and what stands behind it.

    A sign behind each of them (`60" x 30"`, `20°–25°C`) is said once, at the end, except for dimensions' own.
    """
    text = place.text
    words, last, suffix = value.words, value, _suffix(place, value)
    for _ in range(3):
        here = suffix.end if suffix is not None else last.end
        joint = _TO.match(text, here)
        if joint is None:
            break
        following = read_value(text, joint.end(), place.british)
        if following is None:
            break
        after = _suffix(place, following)
        mark = joint.group().strip()
        if after is None and mark in ("x", "×") and _TO.match(text, following.end):
            words, last = f"{words} by {following.words}", following
            continue
        if after is None:
            break
        if suffix is not None and suffix.many != after.many and mark not in "x×":
            return words, last, suffix
        between = "by" if mark in ("x", "×") else "plus or minus" if mark == "±" else "to"
        words = f"{words} {between} {following.words}"
        last, suffix = following, after
    return words, last, suffix


def _suffix(place: Place, value: Value) -> _Suffix | None:
    text, end = place.text, value.end
    if found := _PERCENT.match(text, end):
        name = ("plus " if found[1] else "") + ("percent" if found[2] == "%" else "per mille")
        return _Suffix(found.end(), name, name)
    if found := _DEGREE.match(text, end):
        scale = _DEGREES[found[1] or found[2] or ""]
        return _Suffix(found.end(), f"degree {scale}".rstrip(), f"degrees {scale}".rstrip())
    found = _BARE_DEGREES.match(text, place.pos)
    if found is not None and found.end() == end + 1 and (len(found[1]) > 2 or place.before().lower() in _HEAT):
        scale = _DEGREES[found[2]]
        return _Suffix(found.end(), f"degree {scale}", f"degrees {scale}")
    if (found := _INCHES.match(text, end)) and not _in_quotes(place, '"“”'):
        return _Suffix(found.end(), "inch", "inches")
    if found := _TIMES.match(text, end):
        return _Suffix(found.end(), "time", "times")
    unit = read_unit(text, end)
    if unit is not None and not (value.whole and len(value.literal) > 1 and value.literal[0] == "0"):
        return _Suffix(unit.end, unit.one, unit.many)
    return None


def is_adjective(place: Place, end: int) -> bool:
    """Whether an amount describes the noun behind it, as in `a 12-oz can`: its unit is then said in the singular."""
    text = place.text
    if text[end : end + 1] == "." and not place.ends_sentence(end + 1):
        end += 1
    if text[end : end + 1] == "-" and text[end + 1 : end + 2].isalpha():
        return True
    if text[end : end + 1] != " ":
        return False
    following = re.match(r"[a-z]+", text[end + 1 : end + 20])
    if following is None or following.group() in _NOT_NOUNS or counts_in_words(text, end):
        return False
    before = place.before().lower()
    return before in _ARTICLES or (before.endswith(("ful", "ous", "ive", "ing", "al")) and text[end] == " ")


def _may_sign(place: Place, apart: bool) -> bool:
    """Whether a mark before a number is its sign: nothing it could join stands before it."""
    left = place.left()
    if left.isalnum() or left in tuple(")]%°.,'\"’”-–−"):
        return False
    if not left.isspace():
        return True
    before = (
        place.text[: place.pos].rstrip()[-1:]
        if place.pos < 64
        else place.text[place.pos - 64 : place.pos].rstrip()[-1:]
    )
    mark = place.char
    if mark in "<>≥≤≈±" and apart:
        return False
    return not (apart and mark in MINUS + "+") and not (apart and before.isdecimal() and mark != "~")


def _in_quotes(place: Place, marks: str) -> bool:
    """Whether a quotation is open before the place."""
    before = place.text[max(0, place.pos - 200) : place.pos]
    if marks[0] == "'":
        return bool(re.search(r"(?:^|[\s(])['‘][^'’]*$", before[-80:]))
    closed = _CLOSED.match(before)
    return closed is not None and closed.end() < len(before)
