"""What no person reads to its end: a key that stuck, and data between the words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vall_e_core import Replacement

from .pieces import Piece, Words, joined, replaced, runs

LONGEST_WORD = 100
"""Letters. The longest words of any language that is written with blanks, names of places and of chemicals that are
said, have fewer."""
_STUCK = re.compile(r"([^\W\d_]{1,4}?)\1{15,}", re.IGNORECASE)
"""One to four letters, again and again."""
_ALPHABETS = "A-Za-z\u00aa-\u02af\u0370-\u058f\u10a0-\u10ff\u1c80-\u1cbf\u1e00-\u1fff"
"""Latin, Greek, Cyrillic, Armenian, Georgian: other scripts may have no blanks between words."""
_ENDLESS = re.compile(rf"[{_ALPHABETS}]{{{LONGEST_WORD + 1},}}")
_SHOWN = 20
_MOST_NOTES = 3


def without_floods(pieces: Iterable[Piece]) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """Pieces in which letters that repeat are there three times, and what is too long for a word isn't.

    Returns:
        The pieces, and a notice for everything that was changed.
    """
    made: list[Piece] = []
    notes: list[str] = []
    for run in runs(pieces):
        words = tuple(each for each in run if isinstance(each, Words))
        for change in (_repeated, _endless):
            found = list(change(joined(words), notes))
            words = replaced(words, found) if found else words
        made += words or run
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES:] = [f"and {len(notes) - _MOST_NOTES} more like these"]
    return tuple(made), tuple(notes)


def _repeated(text: str, notes: list[str]) -> Iterator[Replacement]:
    for match in _STUCK.finditer(text):
        unit = match.group(1)
        notes.append(f"{unit!r}, written {len(match.group()) // len(unit)} times in a row, is read three times")
        yield Replacement(match.start(), match.end(), unit * 3)


def _endless(text: str, notes: list[str]) -> Iterator[Replacement]:
    for match in _ENDLESS.finditer(text):
        notes.append(f"left out: {match.group()[:_SHOWN]}…, {len(match.group())} letters, which are no word")
        yield Replacement(match.start(), match.end(), " ")
