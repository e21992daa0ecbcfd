"""Plain text: lines and paragraphs, and the marks that people write by habit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from vall_e_core import InputError

from .assembly import Found, assembled, pause_seconds, tidy
from .cleaning import cleaned
from .leftovers import footnotes, links, tags
from .lines import BARS, HYPHENATED, Line, continues, find_lines
from .pieces import IPA, Pause, Piece, Stop, Words, joined

_PAUSE = re.compile(r"\[pause:([^\[\]\n]{0,40})\]", re.IGNORECASE)
_DURATION = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*(ms|s|sec|seconds?)?\s*", re.IGNORECASE)
_SPOKEN_AS = re.compile(r"\[([^\[\]\n]{1,200})\]\(/([^/\n]{1,500})/\)")
_OPTIONAL = str.maketrans("", "", "()")
"""Around sounds that may be left out: they are said."""
_CELL_END = re.compile(r"(?<=\S) ?\t[ \t]*(?=\S)|(?<=\w\w|.[.!?)%]) \| (?=\w\w|[+(\"“'$€£]\w)|(?<=\S) ?[│┃║] ?(?=\S)")
"""A tab, or a bar between words; single letters make it mathematics."""
_ESCAPED = re.compile(r"(?<=[\w.,;:!?)\"'])(?<!:)(?:\\r)?\\n(?:\\n)*(?=[A-Z\d\"'(*•-]|\s|$)")
"""A line end as programs write it, which a shell leaves as it is."""
_EMPHASIS = re.compile(r"\*{1,3}|_{1,3}|~~|`{1,3}")


def read_plain(text: str, *, english: bool = True, literal: bool = True) -> tuple[tuple[Piece, ...], int]:
    """Plain text as pieces, and how many characters were removed because they can be neither seen nor spoken.

    Lines that were only wrapped go on; all others end in a stop. Paired `**`, `_` and backticks, and `#`, `-`, `*`, `>`
    and `1.` at the beginning of a line are layout. `[pause:1.5s]` is silence, `[word](/ɪpə/)` is said as its IPA.

    Args:
        english: whether it is English, or some other language.
        literal: tags and entities are read as they stand; else they are taken for what is left of a page or a chat.

    Raises InputError for a pause that has no length or is too long.
    """
    words, removed = cleaned((Words(text, 0, len(text)),), keep_tabs=True)
    clean = joined(words)
    inline = [*spoken_otherwise(clean), *links(clean), *footnotes(clean), *(() if literal else tags(clean))]
    lines = find_lines(clean, english)
    found = [*inline, *_layout(clean, lines, english), *_emphasis(clean, lines, inline)]
    pieces, _ = tidy(assembled(words, found), len(text))
    return pieces, removed


def spoken_otherwise(text: str) -> Iterator[Found]:
    """Pauses and pronunciations that are written within a text. Raises InputError."""
    yield from pauses(text)
    for match in _SPOKEN_AS.finditer(text):
        word, phonemes = match.group(1), match.group(2)
        yield Found(match.start(), match.end(), _pronounced(phonemes.translate(_OPTIONAL).strip(), word))


def pauses(text: str) -> Iterator[Found]:
    """Every `[pause:1.5s]` in a text. Raises InputError for one without a length, or that is too long."""
    for match in _PAUSE.finditer(text):
        length = _DURATION.fullmatch(match.group(1))
        if length is None:
            raise InputError(f"a pause without a length: {match.group()}", try_="[pause:1.5s]")
        seconds = float(length.group(1)) / (1000 if (length.group(2) or "").lower() == "ms" else 1)
        yield Found(match.start(), match.end(), _silent(pause_seconds(seconds, match.group())))


def _silent(seconds: float) -> Callable[[int, int, str], Piece]:
    return lambda start, end, _: Pause(seconds, start, end)


def _pronounced(phonemes: str, word: str) -> Callable[[int, int, str], Piece]:
    return lambda start, end, _: IPA(phonemes, start, end, word)


def _stop(start: int, end: int, _: str) -> Piece:
    return Stop(start, end)


def _paragraph(start: int, end: int, _: str) -> Piece:
    return Stop(start, end, paragraph=True)


def _layout(text: str, lines: Sequence[Line], english: bool) -> Iterator[Found]:
    """Marks around lines, and line ends that are more than a blank."""
    for line in lines:
        if line.start > line.begin:
            yield Found(line.begin, line.start)
        if line.row:
            bars = [at for at in range(line.start, line.end) if text[at] in BARS]
            yield Found(bars[0], bars[0] + 1)
            yield Found(bars[-1], bars[-1] + 1)
            yield from (Found(at, at + 1, _stop) for at in bars[1:-1])
        else:
            for ends in (_CELL_END, _ESCAPED):
                yield from (Found(*match.span(), _stop) for match in ends.finditer(text, line.start, line.end))
    for before, after in pairwise(_blocks(lines)):
        yield Found(before[-1].end, after[0].begin, _paragraph)
    for block in _blocks(lines):
        for (before_line, line), goes_on in zip(pairwise(block), continues(block, english), strict=True):
            if not goes_on:
                yield Found(before_line.end, line.begin, _stop)
            elif HYPHENATED.search(before_line.text) or _dense(before_line.text[-1:]):
                yield Found(before_line.end, line.begin)
    if lines and lines[-1].end < len(text):
        yield Found(lines[-1].end, len(text))


def _blocks(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines without an empty one between them."""
    found: list[list[Line]] = [[]]
    for line in lines:
        if line.text:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def _dense(char: str) -> bool:
    return char != "" and ("\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or char in "。、，！？")


def _emphasis(text: str, lines: Sequence[Line], inline: Sequence[Found]) -> Iterator[Found]:
    """Pairs of `**`, `_`, backticks and the like around words of one paragraph."""
    taken = [False] * (len(text) + 1) if inline else []
    for each in inline:
        taken[each.start : each.end] = [True] * (each.end - each.start)
    for block in _blocks(lines):
        open_marks: dict[str, int] = {}
        for line in block:
            for match in _EMPHASIS.finditer(text, line.start, line.end):
                start, end, mark = match.start(), match.end(), match.group()
                if taken and taken[start]:
                    continue
                before = text[start - 1] if start > line.start else " "
                after = text[end] if end < line.end else " "
                if mark in open_marks and (mark[0] == "`" or (not before.isspace() and not after.isalnum())):
                    at = open_marks.pop(mark)
                    yield Found(at, at + len(mark))
                    yield Found(start, end)
                elif mark[0] == "`" or (not after.isspace() and not before.isalnum()):
                    open_marks[mark] = start
