"""Numbers in words. Everything takes strings of ASCII digits, of any length."""

from __future__ import annotations

from functools import lru_cache

from .words import in_order

_ONES = in_order("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
    """)
_TENS = in_order("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
_SCALES = (
    "",
    *in_order("thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion"),
    "decillion",
)
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_LONGEST = 3 * len(_SCALES)
"""Digits of the largest number that has a name here; longer ones are said digit by digit."""
_REMEMBERED = 1024
"""Numbers whose words are kept: a table or a flood has the same ones again and again."""


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _below_thousand(number: int, joint: str) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _below_hundred(rest)
    return f"{_ONES[hundreds]} hundred" + (f"{joint}{_below_hundred(rest)}" if rest else "")


def cardinal(digits: str, british: bool = False) -> str:
    """A whole number: `1234` as "one thousand two hundred thirty-four".

    Args:
        digits: Its digits; commas between them are passed over.
        british: Whether "and" stands before the tens and ones.

    Returns:
        The words; digit by digit where there are more than 36.
    """
    digits = digits.replace(",", "").lstrip("0") or "0"
    if len(digits) > _LONGEST:
        return spell_digits(digits)
    return _named(digits, british)


@lru_cache(maxsize=_REMEMBERED)
def _named(digits: str, british: bool) -> str:
    """The words of a number that has a name."""
    if digits == "0":
        return "zero"
    joint = " and " if british else " "
    parts: list[str] = []
    for index in range(0, len(digits), 3):  # groups of three from the right
        group = int(digits[max(0, len(digits) - index - 3) : len(digits) - index])
        if group:
            words = _below_thousand(group, joint)
            if british and index == 0 and group < 100 and len(digits) > 3:
                words = f"and {words}"
            parts.append(f"{words} {_SCALES[index // 3]}".rstrip())
    return " ".join(reversed(parts))


def ordinal(digits: str, british: bool = False) -> str:
    """A whole number as a place in a row: `21` as "twenty-first"."""
    return ordinal_of(cardinal(digits, british))


def ordinal_of(words: str) -> str:
    """A number in words as an ordinal: its last word changes."""
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _ORDINALS:
        changed = _ORDINALS[last]
    elif last.endswith("y"):
        changed = f"{last[:-1]}ieth"
    else:
        changed = f"{last}h" if last.endswith("t") else f"{last}th"
    return words[:cut] + changed


def plural_of(words: str) -> str:
    """A number in words as a plural: "ninety" as "nineties", "six" as "sixes"."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def spell_digits(digits: str, zero: str = "zero") -> str:
    """Digit by digit."""
    return " ".join(zero if digit == "0" else _ONES[int(digit)] for digit in digits)


def decimal(literal: str, british: bool = False) -> str:
    """A number as it is written, with or without commas and a decimal point: `0.05` as "zero point zero five"."""
    whole, point, fraction = literal.partition(".")
    words = cardinal(whole, british) if whole else ""
    if not whole:
        return f"point {spell_digits(fraction)}"
    return f"{words} point {spell_digits(fraction)}" if point and fraction else words


def pair(digits: str) -> str:
    """Two digits as the end of a year or a time of day: `05` as "oh five"."""
    return f"oh {_ONES[int(digits[1])]}" if digits[0] == "0" else _below_hundred(int(digits))


def year(digits: str, british: bool = False) -> str:
    """Three or four digits as a year: `1905` as "nineteen oh five", `2008` as "two thousand eight"."""
    if len(digits) != 4 or digits[0] == "0" or digits[1:3] == "00":
        return cardinal(digits, british)
    century = _below_hundred(int(digits[:2]))
    return f"{century} hundred" if digits[2:] == "00" else f"{century} {pair(digits[2:])}"


def in_pairs(digits: str) -> str:
    """Numbers of houses, rooms, roads and flights: `221` as "two twenty-one", `1600` as "sixteen hundred"."""
    if digits[0] == "0" or not 3 <= len(digits) <= 4:
        return spell_digits(digits) if len(digits) > 4 or digits[0] == "0" else cardinal(digits)
    head, tail = digits[:-2], digits[-2:]
    if tail == "00":
        return cardinal(digits) if head[-1] == "0" else f"{_below_hundred(int(head))} hundred"
    return f"{_below_hundred(int(head))} {pair(tail)}"


@lru_cache(maxsize=_REMEMBERED)
def fraction(numerator: str, denominator: str, british: bool = False) -> str:
    """A fraction: `3`, `4` as "three quarters"."""
    one = int(numerator) == 1
    value = int(denominator)
    if value == 2:
        part = "half" if one else "halves"
    elif value == 4:
        part = "quarter" if one else "quarters"
    else:
        part = ordinal(denominator, british) + ("" if one else "s")
    return f"{cardinal(numerator, british)} {part}"


def roman(letters: str) -> int:
    """The value of a Roman numeral in normal form, up to 3999; 0 where it isn't one."""
    values = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
    numbers = [values.get(letter, 0) for letter in letters.lower()]
    if not numbers or 0 in numbers or len(numbers) > 15:
        return 0
    total = 0
    for index, number in enumerate(numbers):
        total += -number if number < max(numbers[index + 1 :], default=0) else number
    return total if _as_roman(total) == letters.lower() else 0


def _as_roman(number: int) -> str:
    steps = (
        (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
        (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
    )  # fmt: skip
    letters = ""
    for value, sign in steps:
        count, number = divmod(number, value)
        letters += sign * count
    return letters
