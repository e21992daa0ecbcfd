"""What the front end passes along: pieces of a text, each with the place in the original text that it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Generic, TypeVar

from vall_e_core import Replacement


@dataclass(frozen=True)
class Words:
    """Words to be read. `text` is what is said; `written` what stood there, cleaned."""

    text: str
    start: int
    end: int
    written: str | None = None
    """None where it is `text` itself."""
    rate: float = 1.0
    """Their pace, 1 for the usual one."""
    language: str = ""
    """The code of their language where markup says it; empty for that of the text."""


@dataclass(frozen=True)
class IPA:
    """A pronunciation that was given: it goes to the model as it is."""

    phonemes: str
    start: int
    end: int
    written: str = ""
    rate: float = 1.0


@dataclass(frozen=True)
class Pause:
    """Silence that was asked for, in seconds."""

    seconds: float
    start: int
    end: int


@dataclass(frozen=True)
class Stop:
    """Something ends here, whether or not a mark says so: a line of a list, a heading, a paragraph, the text."""

    start: int
    end: int
    paragraph: bool = False


Spoken = Words | IPA
Piece = Words | IPA | Pause | Stop
_S = TypeVar("_S", Words, Words | IPA)


def shown(piece: Spoken) -> str:
    """What is said, as letters that can be counted: of a pronunciation one for each of its own."""
    return piece.text if isinstance(piece, Words) else "a" * len(piece.phonemes)


def written(piece: Piece) -> str:
    """What stood in the text for a piece, cleaned; nothing for a pause or a stop."""
    if isinstance(piece, Words):
        return piece.text if piece.written is None else piece.written
    return piece.written if isinstance(piece, IPA) else ""


def runs(pieces: Iterable[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Words that belong together, and everything else one by one, in order."""
    for rate, group in groupby(pieces, lambda each: each.rate if isinstance(each, Words) else None):
        if rate is None:
            for piece in group:
                yield (piece,)
        else:
            yield tuple(group)


def joined(words: Iterable[Piece]) -> str:
    """The text of a run of words."""
    return "".join(each.text for each in words if isinstance(each, Words))


def replaced(
    words: Sequence[Words], replacements: Iterable[Replacement], *, cleaning: bool = False
) -> tuple[Words, ...]:
    """A run of words with ranges of its joined text replaced; the replacements are in order and disjoint.

    What touches is made one piece, so that no place of the original text belongs to two. `cleaning`: what is put there
    counts as what was written.
    """
    cursor = Cursor(words)
    made: list[Words] = []
    touching: list[list[Replacement]] = []
    for each in replacements:
        if touching and each.start <= touching[-1][-1].end:
            touching[-1].append(each)
        else:
            touching.append([each])
    for group in touching:
        each = Replacement(group[0].start, group[-1].end, "".join(one.text for one in group))
        made += cursor.upto(each.start)
        taken = list(cursor.upto(each.end))
        if taken:
            first, last = taken[0], taken[-1]
            stood = None if cleaning else "".join(map(written, taken))
            made.append(Words(each.text, first.start, last.end, stood, first.rate, first.language))
    made += cursor.rest()
    return tuple(made)


def cut(words: Sequence[Words], places: Iterable[int]) -> Iterator[tuple[Words, ...]]:
    """A run of words cut at places of its joined text, in order; one more part than there are places."""
    cursor = Cursor(words)
    for place in places:
        yield tuple(cursor.upto(place))
    yield tuple(cursor.rest())


class Cursor(Generic[_S]):
    """A way along words and pronunciations, character by character.

    A pronunciation isn't cut: the first part gets it.
    """

    def __init__(self, words: Sequence[_S]) -> None:
        self._words: Sequence[_S] = words
        self._index = 0
        self._done = 0
        """Characters before the current word."""
        self._inside = 0
        """Characters of the current word that are used up."""

    def upto(self, place: int) -> Iterator[_S]:
        """What lies before `place` and hasn't been handed out."""
        while self._index < len(self._words):
            word = self._words[self._index]
            size = len(shown(word))
            end = min(place - self._done, size)
            if end > self._inside or (size == 0 and place > self._done):
                if isinstance(word, Words):
                    yield _part(word, self._inside, end)
                elif self._inside == 0:
                    yield word
                self._inside = end
            if end < size or (size == 0 and place <= self._done):
                return
            self._index += 1
            self._done += size
            self._inside = 0

    def rest(self) -> Iterator[_S]:
        """All that hasn't been handed out, what says nothing at the end included."""
        return self.upto(sum(len(shown(each)) for each in self._words) + 1)


def _part(word: Words, begin: int, end: int) -> Words:
    """A stretch of one piece. One that was replaced has no place for each of its letters: the first part gets all."""
    if begin == 0 and end == len(word.text):
        return word
    if word.written is None and len(word.text) == word.end - word.start:
        return replace(word, text=word.text[begin:end], start=word.start + begin, end=word.start + end)
    stood = None if word.written is None else word.written if begin == 0 else ""
    return replace(word, text=word.text[begin:end], start=word.start if begin == 0 else word.end, written=stood)
