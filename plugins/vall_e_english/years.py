"""Years and decades: `1865`, `1990s`, `’98`, `1914–18`; and which four digits are a year."""

from __future__ import annotations

import re

from .numbers import cardinal, in_pairs, pair, plural_of, year
from .place import Found, Place
from .words import listed

_DECADE = re.compile(r"((?:1\d|20)\d0|[2-9]0)['’]?s(?![^\W_])")
_SHORT_DECADE = re.compile(r"['’‘](?:(\d0)['’]?s|(\d\d))(?![^\W_])")
_PLURAL = re.compile(r"(\d{1,4})['’]?s(?![^\W_])")
_POSSESSIVE = re.compile(r"((?:1\d|20)\d\d)['’]s(?![^\W_])")
_NINERS = re.compile(r"(\d{1,2})(ers?)\b")
_YEARS = re.compile(r"((?:1[1-9]|20)\d\d) ?[-–—/] ?((?:1[1-9]|20)\d\d|\d\d)(?![\d/]|[-–.,]\d)")
_FOUR = re.compile(r"\d{4}(?!\d|,\d|\.\d|[^\W_])")
_MEASURED = listed("""
    people men women children percent dollars euros pounds feet meters miles kilometers inches calories hundred
    thousand million billion copies more fewer additional total of sheep fish km kg
    """)
_YEAR_CUES = listed("""
    in since until till by before after circa c ca year years from early late mid during between spring summer fall
    autumn winter copyright © ad a.d bc the of around fy class january february march april may june july august
    september october november december anno ce q1 q2 q3 q4 season
    """)
_STRONG_CUES = listed("""
    the fy q1 q2 q3 q4 january february march april may june july august september october november december spring
    summer fall autumn winter
    """)
_ERAS = (" AD", " A.D.", " BC", " B.C.", " CE", " C.E.", " BCE", " B.C.E.")
_NOT_PLURALS = listed(
    "was is has this its his as yes always perhaps less across thus plus series towards does unless us news various "
    "olympics elections election ours yours"
)
_COUNT_CUES = listed("number page pages room version model chapter exactly about over nearly almost roughly only than")


def decade(place: Place) -> Found | None:
    """`1990s`, `30s`, `’90s`, `’98`; and other plurals: `747s`, `2s`."""
    text, pos = place.text, place.pos
    if found := _SHORT_DECADE.match(text, pos):
        if place.left().isalnum():
            return None
        return Found(found.end(), plural_of(cardinal(found[1])) if found[1] else pair(found[2]))
    if (found := _POSSESSIVE.match(text, pos)) and not found[1].endswith("0"):
        return Found(found.end(), f"{year(found[1])}'s")
    if (found := _POSSESSIVE.match(text, pos)) and place.before().lower() not in ("the", "early", "late", "mid"):
        return Found(found.end(), f"{year(found[1])}'s")
    if found := _DECADE.match(text, pos):
        digits = found[1]
        words = year(digits) if len(digits) == 4 else cardinal(digits)
        return Found(found.end(), plural_of(words))
    if found := _PLURAL.match(text, pos):
        if found[1] in ("100", "1000"):
            return Found(found.end(), "hundreds" if found[1] == "100" else "thousands")
        return Found(found.end(), plural_of(in_pairs(found[1])))
    if found := _NINERS.match(text, pos):
        words = cardinal(found[1])
        return Found(found.end(), f"{words.removesuffix('e')}{found[2]}")
    return None


def years(place: Place) -> Found | None:
    """`1914–1918`, `1939-45`, `2019/20`."""
    found = _YEARS.match(place.text, place.pos)
    if found is None or place.left() in tuple("-–/"):
        return None
    first, last = found[1], found[2]
    if len(last) == 4 and int(last) <= int(first):
        return None
    if len(last) == 2 and int(last) <= int(first[2:]):
        return None
    words = year(last, place.british) if len(last) == 4 else pair(last)
    return Found(found.end(), f"{year(first, place.british)} to {words}")


def year_number(place: Place) -> Found | None:
    """Four digits that are a year by what stands around them."""
    found = _FOUR.match(place.text, place.pos)
    if found is None or not is_year(place, found.group(), found.end()):
        return None
    return Found(found.end(), year(found.group(), place.british))


def is_year(place: Place, digits: str, end: int) -> bool:
    """Whether four digits are read as a year."""
    number = int(digits)
    if not 1000 <= number <= 2199 or place.left() in tuple("$€£#.,/"):
        return False
    before = place.before().lower().rstrip(".")
    following = place.after(end) if place.adjoins(end) == " " else ""
    plural = following.islower() and following.endswith("s") and len(following) > 3 and following not in _NOT_PLURALS
    if place.text.startswith(_ERAS, end):
        return True
    if following.lower() in _MEASURED or (plural and before not in _STRONG_CUES):
        return False
    if before in _COUNT_CUES:
        return False
    return number >= 1100 or before in _YEAR_CUES
