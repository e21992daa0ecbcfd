"""Parts of one text, put together into one wave without clicks and without losing a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]

#: A part fades in and out over this long, short enough not to be heard and long enough that no step is left at a join.
FADE_SECONDS = 0.003


@dataclass(frozen=True)
class Placed:
    """Where a part lies in the joined wave, in samples; `pause` is the silence after it."""

    start: int
    length: int
    pause: int


class Joiner:
    """Parts that arrive in pieces, put together: the edges of each fade, and between two of them is a pause.

    It holds back no more than the end of a part, which fades once that is known to be the end.
    """

    def __init__(self, sample_rate: int, pause_seconds: float = 0.0) -> None:
        self._rate = sample_rate
        self._pause = round(pause_seconds * sample_rate)
        self._edge = round(FADE_SECONDS * sample_rate)
        self._held = np.zeros(0, dtype=np.float32)
        self._start = self._length = 0

    def push(self, piece: Wave) -> Wave:
        """Take in the next samples of a part; give out those that are ready."""
        self._held = np.concatenate((self._held, piece.astype(np.float32)))
        begun = self._length > 0
        if len(self._held) < (1 if begun else 2) * self._edge + 1:
            return self._held[:0]
        ready, self._held = self._held[: -self._edge or None], self._held[len(self._held) - self._edge :]
        if not begun:
            ready = _faded(ready, self._edge, 0)
        self._length += len(ready)
        return ready

    def silence(self, seconds: float) -> Wave:
        """Silence before the first part."""
        size = round(seconds * self._rate)
        self._start += size
        return np.zeros(size, dtype=np.float32)

    def end(self, *, last: bool, pause: float | None = None) -> tuple[Wave, Placed]:
        """The part is over: what was held back, with the pause behind it, and where it lies.

        `pause` in seconds stands for the usual one, which the `last` part hasn't.
        """
        begun, rest = self._length > 0, self._held
        size = min(self._edge, len(rest) if begun else len(rest) // 2)
        rest = _faded(rest, 0 if begun else size, size)
        usual = 0 if last else self._pause
        placed = Placed(self._start, self._length + len(rest), usual if pause is None else round(pause * self._rate))
        self._start += placed.length + placed.pause
        self._held, self._length = rest[:0], 0
        return np.concatenate((rest, np.zeros(placed.pause, dtype=np.float32))), placed


def join(parts: Sequence[Wave], sample_rate: int, pause_seconds: float = 0.0) -> tuple[Wave, list[Placed]]:
    """All `parts` in order, with a pause between each two, and where each one lies.

    The result's length is the sum of the parts and pauses, to the sample.
    """
    joiner = Joiner(sample_rate, pause_seconds)
    pieces: list[Wave] = [np.zeros(0, dtype=np.float32)]
    places: list[Placed] = []
    for index, part in enumerate(parts):
        pieces.append(joiner.push(part))
        rest, placed = joiner.end(last=index == len(parts) - 1)
        pieces.append(rest)
        places.append(placed)
    return np.concatenate(pieces), places


def _faded(wave: Wave, head: int, tail: int) -> Wave:
    """A copy of `wave`, the first `head` samples rising and the last `tail` falling."""
    faded = wave.copy()
    faded[:head] *= _ramp(head)
    faded[len(faded) - tail :] *= _ramp(tail)[::-1]
    return faded


def _ramp(size: int) -> Wave:
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(size) / max(size, 1))).astype(np.float32)
