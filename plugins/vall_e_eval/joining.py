"""Clips joined into windows for a recognizer that always works on half a minute, and its words given back to them.

Whisper takes as long for two seconds as for thirty. A second of silence lies between two clips, and every word goes to
the clip whose sound its middle is nearest to. In the gap a clip's words end: the recognizer's times are off by a few
tenths of a second at most there, never by half of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 16000
GAP = 1.0
"""Seconds between two clips."""
LONGEST = 26.0
"""Seconds of a window; Whisper's own hold 30."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Word:
    """A word that was heard, with its times in seconds."""

    text: str
    start: float
    end: float


def windows(clips: Sequence[tuple[str, float]]) -> list[list[int]]:
    """Which clips go together, in their order, by what they are to say and their lengths in seconds.

    A long one stays alone. No window says the same twice: a recognizer that has understood a sentence once also
    understands a bad copy of it.
    """
    found: list[list[int]] = []
    said: set[str] = set()
    filled = LONGEST  # nothing is open yet
    for at, (text, length) in enumerate(clips):
        if filled + GAP + length > LONGEST or text in said:
            found.append([])
            said, filled = set(), -GAP
        found[-1].append(at)
        said.add(text)
        filled += GAP + length
    return found


def join(clips: Sequence[Samples]) -> tuple[Samples, list[tuple[float, float]]]:
    """Clips at `RATE` one after the other, and where each begins and ends, in seconds."""
    gap = np.zeros(round(GAP * RATE), np.float32)
    pieces: list[Samples] = []
    spans = []
    at = 0
    for clip in clips:
        if pieces:
            pieces.append(gap)
            at += len(gap)
        pieces.append(clip)
        spans.append((at / RATE, (at + len(clip)) / RATE))
        at += len(clip)
    return np.concatenate(pieces), spans


def part(words: Iterable[Word], spans: Sequence[tuple[float, float]]) -> list[str]:
    """What was heard in each clip: a word belongs to the clip that its middle lies in, or is nearest to."""
    heard: list[list[str]] = [[] for _ in spans]
    for word in words:
        middle = (word.start + word.end) / 2
        away = [max(start - middle, middle - end, 0.0) for start, end in spans]
        heard[away.index(min(away))].append(word.text.strip())
    return [" ".join(each) for each in heard]
