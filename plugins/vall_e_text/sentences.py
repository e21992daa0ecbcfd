"""Sentences, and where one may be cut; how long it takes to say something.

Everything here takes time in proportion to the text's length, whatever is in it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

Span = tuple[int, int]

_CJK_STOPS = "。！？｡…"
_CLOSERS = "\"'”’»›)]}」』】）》〉"
_STOP = re.compile(rf"(?:[.!?]+|[{_CJK_STOPS}]+)+[{re.escape(_CLOSERS)}]*")
_ENGLISH = """
    mr mrs ms dr prof sr jr st rev hon gen col lt sgt capt cpt adm gov sen rep pres supt messrs vs etc cf al ca approx
    mt ft pvt cpl maj ave blvd est
    dept univ inc ltd co corp bros vol vols pp ed eds fig figs ch sec art jan feb mar apr jun jul aug sep sept oct
    nov dec mon tue wed thu fri sat sun e.g i.e a.m p.m u.s u.k ph.d b.a m.a m.d d.c
"""
_GERMAN = "bzw usw z.b d.h u.a bspw ggf inkl evtl nr str tel hr hrn abb bd kap"
_FRENCH = "mm mme mlle mgr env ex chap cie boul av"
_ABBREVIATIONS = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH}".split())
"""What a full stop follows without ending a sentence, in lower case."""
_NUMBER_WORDS = frozenset(("no", "nos", "p"))
"""The same, before a number only."""
_LONGEST_ABBREVIATION = 8
_DENSE = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7a3"), ("\U00020000", "\U0003ffff"))
_WORD = re.compile(r"\s*\S+\s*")
_CLAUSE = re.compile(rf"[,;:，、；：—–]+[{re.escape(_CLOSERS)}]*|(?<=\s)[-–—]+(?=\s)")
"""Where a clause may end; behind an ASCII mark only before a blank: not inside 1,234, 10:45 or https://."""


def detect_script(text: str) -> str:
    """`cjk` where most letters are Chinese, Japanese or Korean characters, else `alphabet`."""
    dense = sum(map(_is_dense, text))
    return "cjk" if dense * 2 > sum(map(str.isalpha, text)) else "alphabet"


def estimate_seconds(text: str) -> float:
    """How long it takes to say, roughly: by its letters, digits (which are read as words) and stops."""
    return sum(map(_weight, text))


def find_sentences(line: str) -> Iterator[Span]:
    """Where the sentences of a line lie, in order, without the blanks between them.

    A stop inside a number, an initial or an abbreviation ends nothing, nor does one that is followed by a lower-case
    letter. Closing quotes and brackets stay with their sentence.
    """
    start = 0
    for match in _STOP.finditer(line):
        end = match.end()
        if end < len(line) and not _ends_sentence(line, match.start(), match.group(), end):
            continue
        if line[start:end].strip():
            yield _within(line, start, end)
        start = end
    if line[start:].strip():
        yield _within(line, start, len(line))


def fitting(line: str, sentence: Span, limit: float, together: Sequence[Span] = ()) -> Iterator[Span]:
    """Stretches of a sentence of at most `limit` seconds: cut after clauses, else between words, else inside one.

    Args:
        line: What the places refer to.
        sentence: The place of the sentence.
        limit: The longest stretch, in seconds.
        together: Places of words that belong together, such as those of a number, in order and apart. They are cut
            only where they are too long themselves.
    """
    start, end = sentence
    if estimate_seconds(line[start:end]) <= limit:
        yield sentence
        return
    begin, seconds = start, 0.0
    inside = _Inside([each for each in together if estimate_seconds(line[each[0] : each[1]]) <= limit])
    for first, last in _atoms(line, start, end, limit, inside):
        length = estimate_seconds(line[first:last])
        if first > begin and seconds + length > limit:
            if line[begin:first].strip():
                yield _within(line, begin, first)
            begin, seconds = first, 0.0
        seconds += length
    if line[begin:end].strip():
        yield _within(line, begin, end)


class _Inside:
    """Whether a place lies inside one of some spans, which are in order and apart."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def __call__(self, place: int) -> bool:
        at = bisect_left(self._starts, place) - 1
        return at >= 0 and place < self._ends[at]


def _within(line: str, start: int, end: int) -> Span:
    """The stretch without blanks at its ends."""
    while start < end and line[start].isspace():
        start += 1
    while end > start and line[end - 1].isspace():
        end -= 1
    return start, end


def _ends_sentence(line: str, begin: int, stop: str, end: int) -> bool:
    if any(char in _CJK_STOPS[:4] for char in stop):
        return True
    if not line[end].isspace():
        return False
    following = line[end + 1 : end + 2]
    if following.islower():
        return False
    if stop != ".":
        return True
    word = re.split(r"[\s(\[“\"'‘]", line[max(0, begin - _LONGEST_ABBREVIATION - 2) : begin])[-1]
    initial = len(word) == 1 and word.isupper() and word != "I"
    number = word.lower() in _NUMBER_WORDS and following.isdigit()
    return not (initial or number) and word.lower() not in _ABBREVIATIONS


def _atoms(line: str, start: int, end: int, limit: float, inside: _Inside) -> Iterator[Span]:
    """What isn't cut further: clauses; the words of a clause that is too long; parts of a word that is."""
    sentence = line[start:end]
    clauses = [start + place for place in _clauses(sentence)]
    for clause in _between(start, [*(place for place in clauses if not inside(place)), end]):
        if estimate_seconds(line[slice(*clause)]) <= limit:
            yield clause
            continue
        words = [match.end() for match in _WORD.finditer(line, *clause)][:-1]
        for phrase in _between(clause[0], [*(place for place in words if not inside(place)), clause[1]]):
            if estimate_seconds(line[slice(*phrase)]) <= limit:
                yield phrase
            else:
                for match in _WORD.finditer(line, *phrase):
                    yield from _cut(line, match.start(), match.end(), limit)


def _between(start: int, ends: Sequence[int]) -> Iterator[Span]:
    """Stretches that follow one another."""
    for end in ends:
        yield start, end
        start = end


def _clauses(sentence: str) -> Iterator[int]:
    """Where clauses end."""
    for match in _CLAUSE.finditer(sentence):
        behind = sentence[match.end() : match.end() + 1]
        if not behind or behind.isspace() or match.group()[0] not in ",;:–":
            yield match.end()


def _cut(line: str, start: int, end: int, limit: float) -> Iterator[Span]:
    begin = start
    seconds = 0.0
    for index in range(start, end):
        weight = _weight(line[index])
        if seconds + weight > limit and index > begin and not unicodedata.combining(line[index]):
            yield begin, index
            begin, seconds = index, 0.0
        seconds += weight
    yield begin, end


def _is_dense(char: str) -> bool:
    """Whether one character is about a syllable or more: kana, hangul, Chinese characters."""
    return any(first <= char <= last for first, last in _DENSE)


@lru_cache(maxsize=1 << 14)
def _weight(char: str) -> float:
    """Seconds that one character takes; a pause for a stop. From counts of speech at an ordinary pace."""
    if char.isdigit():
        return 0.3
    if char.isalpha():
        return 0.2 if _is_dense(char) else 0.075
    if char in ".!?" or char in _CJK_STOPS or char in "#%&*/@\\" or unicodedata.category(char) in ("Sc", "Sm", "So"):
        return 0.3
    return 0.15 if char in ",;:，、；：" else 0.0
