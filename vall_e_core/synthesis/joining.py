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


def fade_edges(wave: Wave, sample_rate: int, seconds: float = FADE_SECONDS) -> Wave:
    """A copy of `wave` [samples] that starts and ends at zero; its length is unchanged.

    A raised cosine over `seconds`, or over half of a shorter wave, on either side.
    """
    size = min(round(seconds * sample_rate), len(wave) // 2)
    faded = wave.astype(np.float32, copy=True)
    if size < 1:
        return faded
    ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(size) / size)).astype(np.float32)
    faded[:size] *= ramp
    faded[-size:] *= ramp[::-1]
    return faded


def join(parts: Sequence[Wave], sample_rate: int, pause_seconds: float = 0.0) -> tuple[Wave, list[Placed]]:
    """All `parts` in order, with a pause between each two, and where each one lies.

    The result's length is the sum of the parts and pauses, to the sample.
    """
    pause = round(pause_seconds * sample_rate)
    silence = np.zeros(pause, dtype=np.float32)
    pieces: list[Wave] = []
    places: list[Placed] = []
    start = 0
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        pieces.append(fade_edges(part, sample_rate))
        if not last:
            pieces.append(silence)
        places.append(Placed(start, len(part), 0 if last else pause))
        start += len(part) + places[-1].pause
    return (np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)), places
