"""Numbers without a sign: ordinals, ranges, scores, dimensions, letters among digits; and all that is left."""

from __future__ import annotations

import re

from .letters import is_word, spell
from .numbers import cardinal, decimal, in_pairs, ordinal, plural_of, spell_digits, year
from .place import Found, Place
from .units import per_word
from .values import LITERAL, MINUS, SCALES, read_value

_ORDINAL = re.compile(r"(\d{1,3}(?:,\d{3}){1,5}|\d{1,12})(?:st|nd|rd|th|ST|ND|RD|TH|ˢᵗ|ⁿᵈ|ʳᵈ|ᵗʰ)(?![^\W_])")
_RANGE = re.compile(rf"({LITERAL}) ?(?:[-–—]|‑) ?({LITERAL})(?![\d/:]|[-–—]\d)")
_RESULT = re.compile(r" ?=")
_BY = re.compile(r"x (?=\d)")
_DIMENSIONS = re.compile(rf"{LITERAL}(?:(?: x |x){LITERAL}|(?<! )×{LITERAL}(?! ?=)){{1,3}}(?![^\W_]|\^)")
_BOARDS = re.compile(r"(\d{1,2})[x×](\d{1,2})s(?![^\W_])")
_SCALED = re.compile(rf"({LITERAL})([KkMB])(?=\+? (?:[a-z]{{2,20}}s|people|men|women|children)\b)")
_DIGITS = re.compile(r"\d+")
_LONG_ROW = re.compile(r"\d{41,}(?![^\W_])")
_NAMES = {"7-11": "seven eleven", "10-4": "ten four"}
_MIXED = re.compile(r"(?=\d{0,12}[A-Za-z])(?:\d{1,12}|[A-Za-z]{1,12}){2,8}(?![^\W_])")
_PARTS = re.compile(r"\d+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")


def ordinal_number(place: Place) -> Found | None:
    """`21st` as "twenty-first"."""
    found = _ORDINAL.match(place.text, place.pos)
    return None if found is None else Found(found.end(), ordinal(found[1], place.british))


def by(place: Place) -> Found | None:
    """The `x` between dimensions that have their units: `12' x 15'`."""
    return None if _BY.match(place.text, place.pos) is None or not _measured(place) else Found(place.pos + 1, "by")


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


def boards(place: Place) -> Found | None:
    """`2x4s` as "two by fours"."""
    found = _BOARDS.match(place.text, place.pos)
    return None if found is None else Found(found.end(), f"{cardinal(found[1])} by {plural_of(cardinal(found[2]))}")


def dimensions(place: Place) -> Found | None:
    """`10 x 12`, `4x4`, `1920x1080`."""
    found = _DIMENSIONS.match(place.text, place.pos)
    if found is None:
        return None
    numbers = re.findall(LITERAL, found.group())
    between = "times" if _RESULT.match(place.text, found.end()) else "by"
    screen = all(len(each) in (3, 4) and each.isdecimal() for each in numbers)
    return Found(
        found.end(), f" {between} ".join(in_pairs(each) if screen else decimal(each, place.british) for each in numbers)
    )


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
    words = f" {value.words}" if value.literal[:1] == "." and not sign and place.left().strip() else value.words
    if value.whole and len(value.literal) > 1 and value.literal[0] == "0":
        words = spell_digits(value.literal)
    elif "." in value.literal and place.left() in tuple("vV"):
        words = decimal(value.literal)
    if text[value.end : value.end + 1] == "," and text[value.end + 1 : value.end + 2].isalnum():
        return Found(value.end + 1, f"{sign}{words}, ")  # a list without blanks
    if per := per_word(text, value.end):
        return Found(per[0], f"{sign}{words} {per[1]}")
    tail = " " if text[value.end : value.end + 1].isalnum() else ""
    return Found(value.end, sign + words + tail)


def long_row(place: Place) -> Found | None:
    """More digits than any number has, one by one."""
    found = _LONG_ROW.match(place.text, place.pos)
    return None if found is None else Found(found.end(), spell_digits(found.group()))


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


def _end_of_range(literal: str, british: bool) -> str:
    plain = literal.replace(",", "")
    if plain.isdecimal() and "," not in literal and len(plain) == 4 and 1100 <= int(plain) <= 2099:
        return year(plain, british)
    if len(plain) > 1 and plain.isdecimal() and plain[0] == "0":
        return spell_digits(plain)
    return decimal(literal, british)


def _measured(place: Place) -> bool:
    """Whether a number, or the sign of feet or inches behind one, stands before the place."""
    before = place.text[max(0, place.pos - 3) : place.pos]
    return before.endswith(" ") and before.strip(" '\"’”′″")[-1:].isdecimal()
