"""One pass over a text: at each word, number or sign the rules are asked in turn; the first that knows it answers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from vall_e_core import Replacement

from . import (
    abbreviations,
    codes,
    dates,
    initials,
    marks,
    money,
    plain,
    powers,
    quantities,
    romans,
    slashes,
    streets,
    stretched,
    times,
    web,
    years,
)
from .abbreviated import SMALL
from .place import Found, Place, Rule, first
from .shouts import Shouts
from .stretched import DRAWN_OUT, SOUNDS

_NUMBERS: tuple[Rule, ...] = (
    web.address,
    codes.hardware,
    dates.iso_date,
    dates.numeric_date,
    codes.phone,
    codes.version,
    quantities.arc,
    quantities.added_time,
    quantities.feet,
    times.verse,
    times.military,
    times.duration,
    times.time,
    times.pointed,
    times.hour,
    times.ratio,
    dates.month_and_day,
    dates.month_and_year,
    powers.power,
    powers.factorial,
    codes.house,
    money.money_behind,
    years.decade,
    dates.day_first,
    plain.ordinal_number,
    years.years,
    codes.aircraft,
    codes.code,
    codes.lettered,
    plain.boards,
    quantities.quantity,
    powers.hexadecimal,
    plain.dimensions,
    codes.long_number,
    slashes.slashed,
    codes.dashed,
    plain.spread,
    years.year_number,
    plain.scaled,
    plain.alphanumeric,
    plain.number,
)
_SHAPE = re.compile(
    r"(?P<row>(?:(?<=\d )|(?<=\d[,;] ))\d{1,2}(?=[,;]? \d\d?(?:[ ,;]|$)))"
    r"|\d{1,40}(?!\d)(?:(?P<spaced>(?= \d))|(?P<counting>(?= [a-z]))|(?P<ended>(?! )(?=[,;:.!?)]{0,3}(?:\s|$))))"
    r"|(?P<fraction>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒])"
    r"|(?P<divided>\d{1,2}/\d{1,3}(?=[,;!?)]{0,3}(?:\s|$)))"
    r"|(?P<inches>\d{1,3}[\"”″](?=[,;!?)]{0,3}(?:\s|$)))"
    r"|(?P<percent>\d{1,4}(?:\.\d{1,6})?%(?=[,;!?)]{0,3}(?:\s|$)))"
    r"|(?P<point>\d{1,6}\.\d{1,6}(?=[,;!?)]{0,3}(?:\s|$)))"
)
"""What stands behind a whole number tells which rules can know it."""
_BY_SHAPE: dict[str | None, tuple[Rule, ...]] = {
    None: _NUMBERS,
    "row": (plain.number,),
    "spaced": (codes.phone, codes.house, codes.code, quantities.quantity, codes.long_number, slashes.slashed,
               years.year_number, plain.number),
    "counting": (codes.phone, times.military, times.hour, money.money_behind, dates.day_first, codes.code,
                 quantities.quantity, plain.dimensions, codes.long_number, years.year_number, plain.number),
    "ended": (powers.factorial, codes.phone, codes.code, codes.long_number, years.year_number, plain.number),
    "fraction": (quantities.quantity, slashes.slashed, plain.number),
    "divided": (dates.month_and_day, codes.code, quantities.quantity, slashes.slashed, plain.number),
    "inches": (quantities.quantity, codes.phone, codes.code, codes.long_number, plain.number),
    "percent": (quantities.quantity, plain.number),
    "point": (times.pointed, money.money_behind, quantities.quantity, plain.dimensions, plain.spread, plain.number),
}  # fmt: skip
"""In the same order as all of them."""
_WORDS: tuple[Rule, ...] = (
    web.address,
    web.path,
    money.money,
    dates.month_first,
    dates.names,
    codes.hardware,
    codes.flight,
    times.zone,
    plain.by,
    powers.factorial,
    slashes.quotient,
    romans.numeral,
    streets.side,
    streets.state,
    streets.title,
    abbreviations.abbreviation,
    stretched.stretched,
    initials.tokens,
)
_SIGNS: tuple[Rule, ...] = (
    money.money,
    web.path,
    codes.phone,
    web.hashtag,
    web.mention,
    years.decade,
    initials.power_behind,
    powers.factorial,
    initials.index,
    quantities.quantity,
    plain.number,
    marks.emoji,
    marks.mark,
)
_START = re.compile(
    r"[^\s.,;:!?'\"“”‘’()\[\]…]|\.(?=[\da-z/])|['’‘](?=\d0?s|\d\d)|!(?==)|\)(?=!(?!=))|\((?=\d{3}\)|[cC]\) \d)"
    r"|[:;](?=[-'^]?[)(DPpOo/|\\*])|[\[\]]"
    r"|(?<=[^\W\d_])(?:[,;](?=\w)|[.!?](?=[A-Z][a-z']))"
)
_MARKS = tuple(",;:")
"""Marks that no blank stands before."""
_BLOB = re.compile(r"\S{240}")
_BLANK = re.compile(r"\s")
_IN_BLOBS: tuple[Rule, ...] = (web.address, plain.long_row, marks.emoji, marks.mark)
_GROUPED = re.compile(r"(?<![\w.,+\u202f])(?<!\d )\d{1,3}(?:(?:\u202f\d{3})+|(?: \d{3})*? 000)(?![\w\u202f])(?! \d)")
_POINTS = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?=[\d.]{0,40}\.000)(?:\.\d{3}){2,6}(?![\w.])")
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])(?<!\d )(\d{1,3}(?:[ .\u202f]\d{3}){1,6}),(\d\d)(?![\w]|[.,]\d)")
_METRIC = re.compile(
    r"(?<![\w.,])(?<!\d )\d{1,4},\d{1,2}(?= ?(?:°|%|€|[kcmd]?[mlg]|L|m[²³]|ha|k?Wh?|h|[Mm]illion(?:en)?|[Pp]ercent"
    r"|(?:[Kk]ilo|[Cc]enti|[Mm]illi)?(?:[Mm]et(?:er|re)|[Ll]it(?:er|re)|[Gg]ram)s?|[Kk]ilos?|[Hh]ectares?|[Tt]onnes?"
    r"|[Ee]uros?|[Dd]egrees?)(?![^\W_]))"
)
"""A decimal comma, by what is counted: `1,5 liters`."""
_OTHER_GROUPS = re.compile(r"(?<![\w.,'’])\d{1,3}(?:(?:['’]\d{3}){1,6}|(?:_\d{3}){1,6})(?![\w'’])")
_OTHER_DIGITS = re.compile(r"[^\W\D]+")
_MARKS_OF_GROUPS = str.maketrans(" .'’_\u202f", ",,,,,,")
_TOKEN = re.compile(r"[^\W\d_²³¹⁰⁴-⁹₀-₉½¼¾⅓⅔]+(?:['’][^\W\d_]+)*|\d+|.", re.DOTALL)
_QUIET = re.compile(r"[a-z]+(?:['’][a-z]+)?(?=[ ,;!?]|\.?\s|$)")


class EnglishNormalizerModel:
    """English words for what is written shorter than it is said. Holds nothing that changes."""

    def __init__(self, *, name_emoji: bool) -> None:
        """`name_emoji`: whether emoji are named, or left out."""
        self._name_emoji = name_emoji

    def replacements(self, text: str, language: str) -> Iterator[Replacement]:
        """What is said differently from how it is written, in order; in time that grows with the length of `text`."""
        text = _commas(text)
        code = language.lower().replace("_", "-")
        british = code.startswith("en-") and not code.startswith("en-us")
        shouts = Shouts(text)
        drawn_out = DRAWN_OUT.search(text) is not None
        pos = done = 0
        while (start := _START.search(text, pos)) is not None:
            pos = start.start()
            if _BLOB.match(text, pos) and (pos == 0 or text[pos - 1].isspace()):
                found = first(_IN_BLOBS, Place(text, pos, british, self._name_emoji))
                if found is not None:
                    yield Replacement(pos, found.end, found.spoken)
                    pos = done = found.end
                blank = _BLANK.search(text, pos)  # the rest is data, not words
                pos = len(text) if blank is None else blank.start()
                continue
            quiet = _QUIET.match(text, pos)
            if quiet is not None and _is_plain(quiet.group(), drawn_out):
                pos = quiet.end()
                continue
            found = self._read(Place(text, pos, british, self._name_emoji), shouts)
            if found is None:
                token = _TOKEN.match(text, pos)
                pos = token.end() if token is not None else pos + 1
                continue
            if found.spoken != text[pos : found.end]:
                marked = found.spoken[:1] in _MARKS and pos > done and text[pos - 1] == " "
                yield Replacement(pos - marked, found.end, found.spoken)
            pos = done = found.end

    def _read(self, place: Place, shouts: Shouts) -> Found | None:
        char = place.char
        if char.isdecimal() or char in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒":
            if not char.isascii() and char.isdecimal():
                return None
            shape = _SHAPE.match(place.text, place.pos)
            return first(_BY_SHAPE[shape.lastgroup if shape is not None else None], place)
        if char.isalpha() and char.isascii():
            return first(_WORDS, place) or initials.capitals(place, shouts.at(place.pos))
        return first(_SIGNS, place)


def _is_plain(word: str, drawn_out: bool) -> bool:
    """Whether no rule knows a word in small letters; `drawn_out`: whether any word of the text is."""
    return (
        word not in SMALL and word not in SOUNDS and len(word) > 1 and not (drawn_out and DRAWN_OUT.search(word))
    )  # fmt: skip


def _commas(text: str) -> str:
    """`text`, as long as before, with commas in the numbers that blanks or points divide into groups: `10 000`."""
    text = _POINTS.sub(lambda found: found.group().replace(".", ","), text)
    text = _DECIMAL_COMMA.sub(lambda found: f"{found[1].translate(_MARKS_OF_GROUPS)}.{found[2]}", text)
    text = _METRIC.sub(lambda found: found.group().replace(",", "."), text)
    text = _OTHER_GROUPS.sub(lambda found: found.group().translate(_MARKS_OF_GROUPS), text)
    if not text.isascii():
        text = _OTHER_DIGITS.sub(lambda found: "".join(str(unicodedata.decimal(each)) for each in found.group()), text)
    if "\u202f" not in text and " 000" not in text:
        return text
    grouped = _GROUPED.sub(lambda found: found.group().replace(" ", ",").replace("\u202f", ","), text)
    return grouped.replace("\u202f", " ")
