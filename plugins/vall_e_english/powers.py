"""Powers and what else mathematics and programs write: `10⁻³`, `2^10`, `6.02e23`, `0xFF`, `n!`."""

from __future__ import annotations

import re

from .letters import spell
from .numbers import cardinal, decimal
from .place import Found, Place
from .units import read_unit
from .values import LITERAL, MINUS

_POWER = re.compile(r"\^ ?([-−+]?)(\d{1,4})(?![\d.])|([⁻⁺]?)([⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4}|[ⁿⁱ])")
_HIGH = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿⁱ", "0123456789ni")
_SCIENCE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)[eE]([-−+]?)(\d{1,3})(?![^\W_])")
_NUMBER = re.compile(LITERAL)
_FORMULA_GOES_ON = r"(?= ?[+*/<>≤≥^×·÷≈−)\]]| =| - |-[\da-z(]|[.,;](?:\s|$))"
_FACTORIAL = re.compile(
    rf"(?:(?P<number>\d{{1,6}})|(?P<letter>[A-Za-z]))!{_FORMULA_GOES_ON}|(?P<alone>[b-hj-np-z])!(?=\s[a-z]|$)"
)
"""An exclamation mark that isn't one: a formula goes on behind it, or a letter that is no word stands before it."""
_SUM_BEFORE = re.compile(r"\((?:[a-z]|\d{1,6})(?: ?[-+−*/·×] ?(?:[a-z]|\d{1,6})){1,6}$")
_LONGEST_SUM = 60
_HEXADECIMAL = re.compile(r"0[xX]([\dA-Fa-f]{1,16})(?![^\W_])")


def power(place: Place) -> Found | None:
    """`2^10`, `10⁻³`, `6.02×10²³`, `1e-4`; behind a letter too: `x²`."""
    text, pos = place.text, place.pos
    found = _SCIENCE.match(text, pos)
    if found is not None and (found[2] or "." in found[1] or text.startswith("1e", pos)):
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
    return f"to the {sign}{cardinal(digits) if digits.isdecimal() else spell(digits)}"


def factorial(place: Place) -> Found | None:
    """`5! = 120`, `n!`; `(n-k)!` at its closing bracket."""
    text, pos = place.text, place.pos
    if text[pos] == ")":
        if not text.startswith("!", pos + 1) or _SUM_BEFORE.search(text, max(0, pos - _LONGEST_SUM), pos) is None:
            return None
        return Found(pos + 2, ") factorial")
    if place.left().isalnum() or place.left() in tuple(".,'’$€£"):
        return None
    found = _FACTORIAL.match(text, pos)
    if found is None or (found["alone"] and place.before().lower() in ("a", "an")):
        return None
    letter = found["letter"] or found["alone"]
    words = spell(letter) if letter else cardinal(found["number"], place.british)
    return Found(found.end(), f"{words} factorial")


def hexadecimal(place: Place) -> Found | None:
    """`0x80FF` as "zero X eight zero F F"."""
    found = _HEXADECIMAL.match(place.text, place.pos)
    if found is None:
        return None
    digits = (cardinal(each) if each.isdecimal() else spell(each) for each in found[1])
    return Found(found.end(), f"zero X {' '.join(digits)}")
