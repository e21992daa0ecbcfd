"""Sound that voice detection takes for speech: a voice's vowels, four syllables a second, of any length and rate."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
SYLLABLES = 4


def babble(seconds: float, rate: int, pitch: float = 120.0, level: float = 0.3) -> Array:
    """Samples [n] whose peak is `level`: the caller's own array."""
    return _babble(seconds, rate, pitch, level).copy()


@cache
def _babble(seconds: float, rate: int, pitch: float, level: float) -> Array:
    """Nearly every test of speech begins with two seconds of it, and they take longer to make than to encode."""
    time = np.arange(round(seconds * rate)) / rate
    if not len(time):
        return np.zeros(0, np.float32)
    phase = 2 * np.pi * pitch * (time + 0.08 * np.sin(2 * np.pi * 0.9 * time))
    vowel = (time * SYLLABLES).astype(int) % len(VOWELS)
    wave = np.zeros(len(time))
    for harmonic in range(1, int(min(rate / 2, 5_000) / pitch)):
        hertz = harmonic * pitch
        gains = np.array([
            sum(10 ** (-0.3 * i) / (1 + ((hertz - at) / (60 + 0.05 * at)) ** 2) for i, at in enumerate(formants))
            for formants in VOWELS
        ])  # fmt: skip
        wave += gains[vowel] * np.sin(harmonic * phase) / np.sqrt(harmonic)
    wave *= np.clip(2.5 * np.sin(np.pi * ((time * SYLLABLES) % 1)), 0.15, 1)
    return (level * wave / np.abs(wave).max()).astype(np.float32)
