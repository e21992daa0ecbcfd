"""Text: sentences, and segments of a length that a model can speak.

Everything here takes time in proportion to the text's length, whatever is in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .errors import InputError

LONGEST_SEGMENT = 12.0
"""Seconds of speech that a segment may hold, as estimated."""
SHORTEST_SEGMENT = 1.5
"""A sentence below this is spoken together with a neighbour: models are at their worst on a word or two."""

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
_CLAUSE = re.compile(rf"[,;:，、；：—–]+[{re.escape(_CLOSERS)}]*|(?<=\s)[-–—]+(?=\s)")
"""Where a clause may end; behind an ASCII mark only before a blank: not inside 1,234, 10:45 or https://."""


@dataclass(frozen=True)
class Segment:
    """A piece to be spoken in one go. `seconds` is an estimate; `paragraph`: a paragraph ends after it."""

    text: str
    seconds: float
    paragraph: bool


def require_speech(text: str, source: str = "the text") -> None:
    """Raises InputError where there is no letter and no digit: nothing that could be spoken."""
    if not any(char.isalnum() for char in text):
        what = "it is empty" if not text.strip() else "it holds no letter and no digit"
        raise InputError(f"nothing to say: {source}", cause=what)


def detect_script(text: str) -> str:
    """`cjk` where most letters are Chinese, Japanese or Korean characters, else `alphabet`."""
    dense = sum(map(_is_dense, text))
    return "cjk" if dense * 2 > sum(map(str.isalpha, text)) else "alphabet"


def estimate_seconds(text: str) -> float:
    """How long it takes to say, roughly: by its letters, digits (which are read as words) and stops."""
    return sum(map(_weight, text))


def split_sentences(text: str) -> list[str]:
    """The sentences of normalised text, in order; line ends end a sentence too.

    A stop inside a number, an initial or an abbreviation ends nothing, nor does one that is followed by a lower-case
    letter. Closing quotes and brackets stay with their sentence.
    """
    return [sentence for line in text.split("\n") for sentence in _sentences(line)]


def split_text(
    text: str, *, max_seconds: float = LONGEST_SEGMENT, min_seconds: float = SHORTEST_SEGMENT, source: str = "the text"
) -> list[Segment]:
    """Normalised text as segments of about `max_seconds` at most, cut at sentences, clauses or words.

    Every character but blanks is in exactly one segment, in order. Sentences shorter than `min_seconds` are joined
    with a neighbour of their paragraph. Segments without anything to say are joined likewise, or dropped where they
    stand alone. Raises InputError where there is nothing to say at all.
    """
    require_speech(text, source)
    segments: list[Segment] = []
    for paragraph in re.split(r"\n{2,}", text):
        pieces = [piece for sentence in split_sentences(paragraph) for piece in _fitting(sentence, max_seconds)]
        joined = _joined(pieces, max_seconds, min_seconds)
        spoken = [piece for piece in joined if any(map(str.isalnum, piece))]
        last = len(spoken) - 1
        segments += [Segment(piece, estimate_seconds(piece), index == last) for index, piece in enumerate(spoken)]
    return segments


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for match in _STOP.finditer(line):
        end = match.end()
        if end < len(line) and not _ends_sentence(line, match.start(), match.group(), end):
            continue
        sentence = line[start:end].strip()
        if sentence:
            yield sentence
        start = end
    rest = line[start:].strip()
    if rest:
        yield rest


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


def _fitting(sentence: str, limit: float) -> Iterator[str]:
    """Pieces of a sentence of at most `limit` seconds: cut after clauses, else between words, else inside one."""
    if estimate_seconds(sentence) <= limit:
        yield sentence
        return
    current: list[str] = []
    seconds = 0.0
    for atom in _atoms(sentence, limit):
        length = estimate_seconds(atom)
        if current and seconds + length > limit:
            yield "".join(current).strip()
            current, seconds = [], 0.0
        current.append(atom)
        seconds += length
    yield "".join(current).strip()


def _atoms(sentence: str, limit: float) -> Iterator[str]:
    """What isn't cut further: clauses; the words of a clause that is too long; parts of a word that is."""
    start = 0
    for end in [*_clauses(sentence), len(sentence)]:
        clause = sentence[start:end]
        start = end
        if estimate_seconds(clause) <= limit:
            yield clause
            continue
        if clause[:1].isspace():
            yield " "
        for word in re.findall(r"\S+\s*", clause):
            if estimate_seconds(word) <= limit:
                yield word
            else:
                yield from _cut(word, limit)


def _clauses(sentence: str) -> Iterator[int]:
    """Where clauses end."""
    for match in _CLAUSE.finditer(sentence):
        behind = sentence[match.end() : match.end() + 1]
        if not behind or behind.isspace() or match.group()[0] not in ",;:–":
            yield match.end()


def _cut(word: str, limit: float) -> Iterator[str]:
    begin = 0
    seconds = 0.0
    for index, char in enumerate(word):
        weight = _weight(char)
        if seconds + weight > limit and index > begin and not unicodedata.combining(char):
            yield word[begin:index]
            begin, seconds = index, 0.0
        seconds += weight
    yield word[begin:]


def _joined(pieces: list[str], limit: float, shortest: float) -> list[str]:
    """Neighbours together where one of them is too short and both fit."""
    groups: list[list[str]] = []
    lengths: list[float] = []
    for piece in pieces:
        seconds = estimate_seconds(piece)
        if groups and min(seconds, lengths[-1]) < shortest and seconds + lengths[-1] <= limit:
            groups[-1].append(piece)
            lengths[-1] += seconds
        else:
            groups.append([piece])
            lengths.append(seconds)
    return ["".join(_spaced(group)) for group in groups]


def _spaced(pieces: list[str]) -> Iterator[str]:
    for index, piece in enumerate(pieces):
        if index > 0 and not (_is_dense(piece[0]) or pieces[index - 1][-1] in _CJK_STOPS[:4]):
            yield " "
        yield piece


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
