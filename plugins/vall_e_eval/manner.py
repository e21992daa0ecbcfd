"""How something was spoken, whatever it says: ends, loops, length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vall_e_tts import Speech

    from .panel import Heard

LONGEST_PERIOD = 40
"""Frames, of a repetition in level 0."""
LOOP_SECONDS, LOOP_LENGTH = 2.0, 2.0
"""A loop repeats itself for so long, or makes speech so many times as long as it usually is."""


def manner(speech: Speech, usual: float, frame_rate: float, heard: Heard) -> dict[str, float | None]:
    """How it was spoken, whatever it says: ends, loops, length.

    A cut ending: it was ended at the bound, or is short for its text, or its last word couldn't be found (which may be
    there and slurred: an upper bound). A loop: level 0 repeats itself for `LOOP_SECONDS`, or the speech lasts
    `LOOP_LENGTH` times as long as is usual.
    """
    codes = [part.codes[:, 0].numpy() for part in speech.parts]
    repeat = max(repetition(each) for each in codes) / frame_rate
    length = speech.seconds / usual
    cut = any(part.stop_reason == "length" or part.verdict == "short" for part in speech.parts)
    loop = any(part.verdict == "loop" for part in speech.parts)
    return {
        "speech.cut": float(cut or heard.figures.get("alignment.ending") == 0.0),
        "speech.loop": float(loop or repeat >= LOOP_SECONDS or length >= LOOP_LENGTH),
        "speech.stopped": float(speech.stopped),
        "speech.first": float(all(part.tries == 1 and part.verdict == "ok" for part in speech.parts)),
        "speech.length": length, "speech.repeat": repeat,
        "speech.unique": float(np.mean([len(np.unique(each)) / max(1, len(each)) for each in codes])),
    }  # fmt: skip


def repetition(codes: NDArray[np.int64]) -> int:
    """The longest stretch of `codes` [T], in frames, in which each equals the one a period before; 0 where none does.

    Periods up to `LONGEST_PERIOD`; at least two rounds.
    """
    longest = 0
    for period in range(1, min(LONGEST_PERIOD, len(codes) // 2) + 1):
        same = np.concatenate(([False], codes[period:] == codes[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        run = int((edges[1::2] - edges[::2]).max(initial=0))
        if run >= period:
            longest = max(longest, run + period)
    return longest
