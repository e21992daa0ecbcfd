"""IPA to written English: words, a capital where a sentence begins, and the marks that were heard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from .dictionary import Dictionary
from .search import SENTENCE, Search
from .sounds import plain

_ENDS = frozenset(".?!")
_MARKS = re.compile(r"\s*([.?!,;:…—]+)\s*")
_HELD = {"…": ".", "—": ","}
_SOUND = re.compile(r"[^\W\d_]")
_LONGEST = 400
"""Phonemes that are looked at together, where no mark ends them."""


class EnglishSpellerModel:
    """Finds the most probable words. It keeps nothing between calls, so that threads may share it."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._search = Search(dictionary)

    def spell(self, pieces: Sequence[str], language: str) -> list[str]:
        """The text of each piece. A piece that follows one without a mark at its end goes on with its sentence."""
        found: list[str] = []
        state = SENTENCE
        for piece in pieces:
            written: list[str] = []
            for phonemes, gaps, mark in _runs(piece):
                ends, starts = mark in _ENDS, state == SENTENCE
                heard, state = self._search.words(phonemes, gaps, state, ends=ends)
                words = [each.name if each.word < 0 else self._dictionary.written[each.word] for each in heard]
                if words and starts:
                    words[0] = words[0][0].upper() + words[0][1:]
                if words:
                    words[-1] = (words[-1].rstrip(".") if ends else words[-1]) + mark
                written += words
                state = SENTENCE if ends else state
            found.append(" ".join(written))
        return found


def _runs(piece: str) -> Iterator[tuple[str, list[bool], str]]:
    """Phonemes without blanks, before which of them a blank was, and the mark that ends them or nothing."""
    parts = _MARKS.split(plain(piece))
    for text, marks in zip(parts[::2], [*parts[1::2], ""], strict=True):
        mark = next((_HELD.get(char, char) for char in marks if _HELD.get(char, char) in _ENDS), marks[:1])
        tokens = ["".join(_SOUND.findall(token)) for token in text.split()]
        whole, blanks = "".join(tokens), {0, *accumulate(map(len, tokens))}
        for start in range(0, len(whole), _LONGEST):
            end = min(start + _LONGEST, len(whole))
            gaps = [place in blanks or place in (start, end) for place in range(start, end + 1)]
            yield whole[start:end], gaps, _HELD.get(mark, mark) if end == len(whole) else ""
