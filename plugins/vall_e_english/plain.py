"""Numbers without a sign: ordinals, years, decades, ranges, fractions, scores, powers; and all that is left."""

from __future__ import annotations

import re

from .letters import is_word, spell
from .numbers import (
    cardinal,
    decimal,
    fraction,
    in_pairs,
    ordinal,
    pair,
    plural_of,
    spell_digits,
    year,
)
from .place import Found, Place
from .units import read_unit
from .values import LITERAL, MINUS, SCALES, is_fraction, read_value
from .words import listed

_ORDINAL = re.compile(r"(\d{1,3}(?:,\d{3}){1,5}|\d{1,12})(?:st|nd|rd|th|ST|ND|RD|TH|ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)(?![^\W_])")
_DECADE = re.compile(r"((?:1\d|20)\d0|[2-9]0)['’]?s(?![^\W_])")
_SHORT_DECADE = re.compile(r"['’‘](?:(\d0)['’]?s|(\d\d))(?![^\W_])")
_PLURAL = re.compile(r"(\d{1,4})['’]?s(?![^\W_])")
_POSSESSIVE = re.compile(r"((?:1\d|20)\d\d)['’]s(?![^\W_])")
_NINERS = re.compile(r"(\d{1,2})(ers?)\b")
_FRACTION = re.compile(r"(\d{1,4})/(\d{1,4})(?:(?:rd|nd|th)s?(?![^\W_]))?(?![\d/]|[.,]\d)")
_RANGE = re.compile(rf"({LITERAL}) ?(?:[-–—]|‑) ?({LITERAL})(?![\d/:]|[-–—]\d)")
_DIMENSIONS = re.compile(rf"{LITERAL}(?:(?: x |x){LITERAL}|(?<! )×{LITERAL}(?! ?=)){{1,3}}(?![^\W_])")
_POWER = re.compile(r"\^ ?([-−+]?)(\d{1,4})(?![\d.])|([⁻⁺]?)([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})")
_HIGH = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_SCIENCE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)[eE]([-−+]?)(\d{1,3})(?![^\W_])")
_YEARS = re.compile(r"((?:1[1-9]|20)\d\d) ?[-–—/] ?((?:1[1-9]|20)\d\d|\d\d)(?![\d/]|[-–.,]\d)")
_NUMBER = re.compile(LITERAL)
_SCALED = re.compile(rf"({LITERAL})([KkMB])(?=\+? [a-z]{{2,20}}s\b)")
_DIGITS = re.compile(r"\d+")
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
_ALWAYS_OPEN = re.compile(r"24/7/365(?![\d/])")
_NAMES = {"7-11": "seven eleven", "10-4": "ten four"}
_SPECIAL = {"24/7": "twenty-four seven", "50/50": "fifty fifty", "20/20": "twenty twenty", "9/11": "nine eleven"}
_RATINGS = listed("score scored rated rating rate got grade gets marks mark give gave gives scores a perfect result")
_COUNTED = listed("page part step slide sheet day round image photo chapter lesson episode disc")
_HEXADECIMAL = re.compile(r"0[xX]([\dA-Fa-f]{1,16})(?![^\W_])")


def ordinal_number(place: Place) -> Found | None:
    """`21st` as "twenty-first"."""
    found = _ORDINAL.match(place.text, place.pos)
    return None if found is None else Found(found.end(), ordinal(found[1], place.british))


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


def slashed(place: Place) -> Found | None:
    """`1/2`, `24/7`, `9/10`, `120/80`."""
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
        if place.before().lower() in _COUNTED:
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
        else:
            spoken = f"{cardinal(top, place.british)} slash {cardinal(bottom, place.british)}"
    return Found(found.end(), spoken)


def spread(place: Place) -> Found | None:
    """Ranges and scores: `12–15`, `110-98`; `50-50`."""
    found = _RANGE.match(place.text, place.pos)
    if found is None or place.left() in tuple("-–") or place.left().isalnum():
        return None
    first, last = found[1], found[2]
    apart = place.text[place.pos + len(first)] == " " or place.text[found.end() - len(last) - 1] == " "
    if apart and "-" in found.group():  # a subtraction, or a dash of the sentence
        return None
    if first == last:
        zero = first[0] == "0" or len(first) > 2
        words = spell_digits(first) if zero and first.isdecimal() else decimal(first)
        return Found(found.end(), f"{words} {words}")
    if found.group() in _NAMES:
        return Found(found.end(), _NAMES[found.group()])
    one, two = (_end_of_range(literal, place.british) for literal in (first, last))
    return Found(found.end(), f"{one} to {two}")


def dimensions(place: Place) -> Found | None:
    """`10 x 12`, `4x4`, `1920x1080`."""
    found = _DIMENSIONS.match(place.text, place.pos)
    if found is None:
        return None
    numbers = re.findall(LITERAL, found.group())
    screen = all(len(each) in (3, 4) and each.isdecimal() for each in numbers)
    return Found(
        found.end(), " by ".join(in_pairs(each) if screen else decimal(each, place.british) for each in numbers)
    )


def power(place: Place) -> Found | None:
    """`2^10`, `10⁻³`, `6.02×10²³`, `1e-4`; behind a letter too: `x²`."""
    text, pos = place.text, place.pos
    if (found := _SCIENCE.match(text, pos)) and (found[2] or "." in found[1]):
        sign = "minus " if found[2] in tuple(MINUS) and found[2] else ""
        return Found(found.end(), f"{decimal(found[1], place.british)} times ten to the {sign}{cardinal(found[3])}")
    base = _NUMBER.match(text, pos)
    if base is None:
        return None
    exponent = _POWER.match(text, base.end())
    if exponent is None:
        return None
    words, end = f"{decimal(base.group(), place.british)} {power_words(exponent)}", exponent.end()
    unit = read_unit(text, end)
    return Found(end, words) if unit is None else Found(unit.end, f"{words} {unit.many}")


def exponent(text: str, pos: int) -> tuple[int, str] | None:
    """A power behind a position in words, with its end."""
    found = _POWER.match(text, pos)
    return None if found is None else (found.end(), power_words(found))


def power_words(found: re.Match[str]) -> str:
    """An exponent in words: "squared", "to the minus three"."""
    sign = "minus " if (found[1] or found[3] or "") in ("-", "−", "⁻") else ""
    digits = found[2] or found[4].translate(_HIGH)
    if not sign and digits in ("2", "3"):
        return "squared" if digits == "2" else "cubed"
    return f"to the {sign}{cardinal(digits)}"


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


def number(place: Place) -> Found | None:
    """Any number that is left, with its sign."""
    text, pos, sign = place.text, place.pos, ""
    if text[pos] in MINUS or text[pos] == "+":
        sign = "plus " if text[pos] == "+" else "minus "
        pos += 1
        if place.left().isalnum() or place.left() in tuple(")]%°'\"’”-–−.,"):
            return None
    value = read_value(text, pos, place.british)
    if value is None:
        long = _DIGITS.match(text, pos)
        return None if long is None else Found(long.end(), sign + cardinal(long.group(), place.british))
    words = value.words
    if value.whole and len(value.literal) > 1 and value.literal[0] == "0":
        words = spell_digits(value.literal)
    elif "." in value.literal and place.left() in tuple("vV"):
        words = decimal(value.literal)
    tail = " " if text[value.end : value.end + 1].isalnum() else ""
    return Found(value.end, sign + words + tail)


def hexadecimal(place: Place) -> Found | None:
    """`0x80FF` as "zero X eight zero F F"."""
    found = _HEXADECIMAL.match(place.text, place.pos)
    if found is None:
        return None
    digits = (cardinal(each) if each.isdecimal() else spell(each) for each in found[1])
    return Found(found.end(), f"zero X {' '.join(digits)}")


def scaled(place: Place) -> Found | None:
    """`4.5M lines`, `12K users`: a count in thousands or millions, where what it counts follows."""
    found = _SCALED.match(place.text, place.pos)
    if found is None:
        return None
    return Found(found.end(2), f"{decimal(found[1], place.british)} {SCALES[found[2]]}")


def alphanumeric(place: Place) -> Found | None:
    """Digits with letters stuck to them: `4K`, `3D`, `7ABC123`, `10th`'s kind excepted."""
    found = _MIXED.match(place.text, place.pos)
    if found is None:
        return None
    return Found(found.end(), say_mixed(found.group()))


_MIXED = re.compile(r"(?=\d{0,12}[A-Za-z])(?:\d{1,12}|[A-Za-z]{1,12}){2,8}(?![^\W_])")
_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")


def say_mixed(token: str, *, singly: bool = False) -> str:
    """A token of letters and digits: runs of capitals letter by letter; numbers digit by digit if `singly` or long."""
    words = []
    parts = _PARTS.findall(token)
    for part in parts:
        if part.isdecimal():
            long = singly or part[0] == "0" or len(part) > 4 or (len(part) > 2 and len(parts) > 2)
            words.append(spell_digits(part) if long else in_pairs(part))
        elif len(parts) == 2 and len(part) > 1 and part.isupper() and is_word(part) and token[0].isdecimal():
            words.append(part.lower())
        elif part.isupper() or len(part) == 1:
            words.append(spell(part))
        else:
            words.append(part)
    return " ".join(words)


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


_NOUN_AFTER = re.compile(r" (?:of|cups?|inch|inches|miles?|teaspoons?|tablespoons?|pounds?|lbs?|oz)\b")


def _end_of_range(literal: str, british: bool) -> str:
    plain = literal.replace(",", "")
    if plain.isdecimal() and "," not in literal and len(plain) == 4 and 1100 <= int(plain) <= 2099:
        return year(plain, british)
    if len(plain) > 1 and plain.isdecimal() and plain[0] == "0":
        return spell_digits(plain)
    return decimal(literal, british)
