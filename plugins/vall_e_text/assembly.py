"""What every reader does with what it has found: pieces put in order, cleaned, and ended by a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from vall_e_core import InputError, Replacement

from .cleaning import cleaned
from .pieces import IPA, Cursor, Piece, Spoken, Stop, Words, joined, replaced, runs, written

LONGEST_PAUSE = 60.0
"""Seconds."""


@dataclass(frozen=True)
class Found:
    """Something in a text that isn't words: `instead` makes the piece from its place and from what is written there;
    None leaves it out."""

    start: int
    end: int
    instead: Callable[[int, int, str], Piece] | None = None


def assembled(words: Sequence[Words], found: Iterable[Found]) -> list[Piece]:
    """A run of words and what was found in its joined text, in order. Of what overlaps the first one counts."""
    cursor = Cursor(words)
    made: list[Piece] = []
    done, place = 0, words[0].start if words else 0
    for each in sorted(found, key=lambda one: (one.start, one.end)):
        if each.start < done:
            continue
        before = list(cursor.upto(each.start))
        taken = list(cursor.upto(each.end))
        made += before
        done = each.end
        if before:
            place = before[-1].end
        start, end = (taken[0].start, taken[-1].end) if taken else (place, place)
        place = end
        if each.instead is not None:
            piece = each.instead(start, end, "".join(map(written, taken)))
            made.append(_as(taken[0], piece) if taken else piece)
    made += cursor.rest()
    return made


def _as(first: Spoken, piece: Piece) -> Piece:
    """A piece at the pace of what stood there, and in its language."""
    if isinstance(piece, Words) and isinstance(first, Words):
        return replace(piece, rate=first.rate, language=first.language)
    return replace(piece, rate=first.rate) if isinstance(piece, Words | IPA) else piece


def tidy(pieces: Iterable[Piece], end: int) -> tuple[tuple[Piece, ...], int]:
    """Clean runs of words, one stop where there are several, and one at the `end` of the text.

    Also how many characters were removed because they can be neither seen nor spoken.
    """
    made: list[Piece] = []
    removed = 0
    for run in runs(pieces):
        words = [each for each in run if isinstance(each, Words)]
        if not words:
            _add(made, run[0])
            continue
        kept, gone = cleaned(words)
        removed += gone
        blanks = [Replacement(at, at + 1, " ") for at, char in enumerate(joined(kept)) if char == "\n"]
        made += replaced(kept, blanks, cleaning=True) if blanks else kept
    _add(made, Stop(end, end, paragraph=True))
    return tuple(_apart(made)), removed


def _add(made: list[Piece], piece: Piece) -> None:
    """A stop behind a stop adds nothing but that a paragraph ends there; at the beginning nothing stops."""
    if not isinstance(piece, Stop):
        made.append(piece)
    elif made and isinstance(made[-1], Stop):
        made[-1] = replace(made[-1], paragraph=made[-1].paragraph or piece.paragraph)
    elif made:
        made.append(piece)


def _apart(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """No place belongs to two pieces."""
    last = 0
    for piece in pieces:
        start = max(piece.start, last)
        last = max(piece.end, start)
        yield piece if (start, last) == (piece.start, piece.end) else replace(piece, start=start, end=last)


def pause_seconds(seconds: float, where: str) -> float:
    """A pause's length. Raises InputError for one that is too long."""
    if not 0 <= seconds <= LONGEST_PAUSE:
        raise InputError(f"a pause of {seconds:g} s: {where}", cause=f"it may last {LONGEST_PAUSE:g} s at most")
    return seconds
