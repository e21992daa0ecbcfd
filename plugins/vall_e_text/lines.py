"""Lines: which break only keeps a line short, and which ends something."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .subtitles import Subtitles, find_subtitles

WIDE = 50
"""Characters: from here on a line that has no room for the next word was probably wrapped."""
WIDE_DENSE = 15
"""The same for Chinese and Japanese."""
_ENDS = re.compile(r"[.!?…。！？؟।۔][\"'”’»)\]}」』]*$")
_INSIDE = re.compile(r"[.!?][\"'”’»)\]]* |[。！？]")
_BREAKS_OFF = re.compile(r"[.!?…:;。！？؟।۔：；][\"'”’»)\]}」』]*$")
_UNFINISHED = re.compile(
    r" (?:a|an|the|of|for|to|at|by|from|with|and|or|but|as|if|than|my|your|his|their|our|its|these|those|is|are|was"
    r"|were|has|have|had|will|would|can|could|should|must|into|onto|between|because|which|who|whose)$"
)
HYPHENATED = re.compile(r"\w-$")
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_BULLET = re.compile(r"[-*•‣▪◦●○–—→►▶➤☐☑☒][ \t](?:\[[ xX]\] )?(?=\S)|\[[ xX]\] (?=\S)|\$ (?=[a-z./~])")
"""Or the sign before a command."""
_NUMBER = re.compile(r"(\d{1,3})[.)][ \t](?=\S)")
_QUOTE = re.compile(r"(?:> ?)+")
_HEADING = re.compile(r"#{1,6}[ \t](?=\S)")
_CLOSING = re.compile(r" #+$")
_RULE = re.compile(
    r"(?:[-*_=~] ?){3,}$|(?:```|~~~)[\w+-]*$|\|?(?: ?:?-+:? ?\|)+(?: ?:?-+:?)?$"
    r"|[+|][-=+|: ]{3,}$|[\u2500-\u257f ]{3,}$"
)
"""A line of signs, in a table too."""
BARS = ("|", "│", "┃", "║")
_ROW = re.compile(r"[|│┃║][^|│┃║\n]*\w")
_TURN = re.compile(r"[-–—♪>\[(]|[A-Z][A-Z .']{1,20}:")
"""What a caption of another speaker, or of a sound, begins with."""
_NOT_SAID = ("]", ")", "♪")


@dataclass(frozen=True)
class Line:
    """A line of a text: its words are the characters `start` up to `end`, what stands around them is layout."""

    begin: int
    start: int
    end: int
    text: str
    item: bool = False
    """Whether something begins with it."""
    heading: bool = False
    row: bool = False
    """Whether it is a row of a table, between bars."""
    depth: int = 0
    """How often it was quoted, as in an e-mail."""
    caption: bool = False
    """Whether it is shown beside a film."""


def find_lines(text: str, english: bool) -> list[Line]:
    """The lines of cleaned text, with marks of layout told from words: `#`, `-`, `*`, `>` and `1.` at the beginning.

    Args:
        english: a single line `1. …` is an item there; in other languages `1.` may be an ordinal.
    """
    rows = text.split("\n")
    numbers = [int(match.group(1)) if (match := _NUMBER.match(row)) else 0 for row in rows]
    counted, last = set(), 0
    for at, number in enumerate(numbers):
        if number == 1 and (english or 2 in numbers[at:]):
            last = 1
        elif number > 1 and number == last + 1:
            last = number
        else:
            continue
        counted.add(at)
    subtitles = find_subtitles(rows)
    found = []
    begin = 0
    for at, row in enumerate(rows):
        found.append(_nothing(row, begin) if at in subtitles.timing else _line(row, begin, at in counted))
        begin += len(row) + 1
    return _captions(found, subtitles, rows) if subtitles.shown else found


def _captions(lines: Sequence[Line], subtitles: Subtitles, rows: Sequence[str]) -> list[Line]:
    """Lines without what stands between captions: it becomes a part of the layout before the second one."""
    found = {at: replace(line, caption=at in subtitles.shown) for at, line in enumerate(lines)}
    for before, after in subtitles.gaps(rows):
        if after - before > 1:
            found[after] = replace(found[after], begin=lines[before + 1].begin)
            for at in range(before + 1, after):
                del found[at]
    return list(found.values())


def _nothing(row: str, begin: int) -> Line:
    """A line that isn't read."""
    return Line(begin, begin + len(row), begin + len(row), "", item=True, heading=True)


def _line(row: str, begin: int, counted: bool) -> Line:
    if _RULE.match(row):
        return _nothing(row, begin)
    start, end = 0, len(row)
    if quote := _QUOTE.match(row):
        start = quote.end()
    heading = _HEADING.match(row, start)
    marker = heading or _BULLET.match(row, start) or (_NUMBER.match(row, start) if counted else None)
    if marker:
        start = marker.end()
    if heading and (closing := _CLOSING.search(row, start)):
        end = closing.start()
    table = row[-1:] in BARS and len(row) > start + 1 and _ROW.match(row, start) is not None
    return Line(
        begin, begin + start, begin + end, row[start:end], item=marker is not None or table,
        heading=heading is not None or table, row=table, depth=row[:start].count(">"),
    )  # fmt: skip


def continues(lines: Sequence[Line], english: bool) -> list[bool]:
    """For each line but the first of a block (lines without an empty one between them): whether it goes on with what
    the line before it says, because that was only broken to keep it short.

    A line goes on where it begins with a small letter in the middle of a sentence that ends somewhere below; and, in a
    block as wide as text is wrapped, where the line before had no room for its first word; in English also behind a
    word that ends nothing, such as `the`. Lists, addresses, verse and headlines have none of this: their lines begin
    with capitals or end without a mark, or had room for more. Captions go on unless a mark, another speaker or a
    sound is between them, if their sentences have marks at all.
    """
    rows = [line.text for line in lines]
    width = max(map(len, rows), default=0)
    small = [row[:1].islower() for row in rows]
    ends = [bool(_ENDS.search(row)) for row in rows]
    ended = _ended(rows, small)
    full = [False, *(_full(before, after, width) for before, after in pairwise(rows))]
    marked = any(end and line.caption for end, line in zip(ends, lines, strict=True))
    prose = any(small[at] and full[at] and not lines[at].item for at in range(1, len(rows)))
    found = []
    for at in range(1, len(rows)):
        before = rows[at - 1]
        dense = bool(_DENSE.match(rows[at][:1]) and _DENSE.search(before[-1:]))
        apart = lines[at].item or lines[at - 1].heading or lines[at].depth != lines[at - 1].depth
        if apart or not before or not rows[at] or before[-1] in ":：":
            found.append(False)
        elif marked and lines[at].caption and lines[at - 1].caption:
            found.append(not (ends[at - 1] or _TURN.match(rows[at]) or before.endswith(_NOT_SAID)))
        elif dense:
            found.append(len(before) >= max(WIDE_DENSE, width - 1) and ended[at])
        elif (english and _UNFINISHED.search(before) and len(before.split()) > 2) or (
            small[at] and ended[at] and not _BREAKS_OFF.search(before)
        ):
            found.append(True)
        elif full[at] and width >= WIDE:
            alone = len(rows) == 2 and not _BREAKS_OFF.search(before) and ends[at]
            caseless = rows[at][:1].isalpha() and rows[at][:1].lower() == rows[at][:1].upper()
            found.append(small[at] or prose or alone or (caseless and ends[-1]))
        else:
            found.append(False)
    return found


def _ended(rows: Sequence[str], small: Sequence[bool]) -> list[bool]:
    """For each line whether its sentence ends with a mark, there or on lines that go on with a small letter."""
    found: list[bool] = []
    for at in range(len(rows) - 1, -1, -1):
        here = bool(_ENDS.search(rows[at]) or _INSIDE.search(rows[at]))
        found.append(here or (at + 1 < len(rows) and small[at + 1] and found[-1]))
    return found[::-1]


def _full(before: str, after: str, width: int) -> bool:
    """Whether the first word of a line had no room on the line before."""
    return bool(HYPHENATED.search(before)) or len(before) + 1 + len(after.split(" ", 1)[0]) > width
