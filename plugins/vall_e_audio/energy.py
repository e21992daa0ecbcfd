"""A gate that needs nothing but numpy: speech rises and falls with its syllables, and isn't all bass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The span over which loudness has to vary, and by how many decibels (standard deviation).
SPAN_CHUNKS, VARIES = 31, 2.0
#: The share of the power that has to lie above this many Hz.
BASS_HZ, ABOVE_BASS = 150.0, 0.1
#: A chunk this much below the loudest of the span is a pause.
PAUSE_DB = 30.0
_FLOOR = 1e-9


class EnergyGate:
    """For where no network is at hand. Noise and hum aren't speech to it; music is."""

    name = "energy"
    chunk = 512

    def __init__(self) -> None:
        self._powers: list[float] = []
        rise = np.fft.rfftfreq(self.chunk, 1 / 16_000)
        self._high = rise > BASS_HZ

    def probability(self, chunk: NDArray[np.float32]) -> float:
        """1 for a chunk that isn't a pause, at a time when loudness varies as that of speech does; else 0."""
        spectrum = np.square(np.abs(np.fft.rfft(chunk - chunk.mean())))
        total = float(spectrum.sum())
        self._powers = [*self._powers[1 - SPAN_CHUNKS :], 10 * float(np.log10(total / self.chunk**2 + _FLOOR))]
        level = self._powers[-1]
        if total <= 0 or float(spectrum[self._high].sum()) < ABOVE_BASS * total:
            return 0.0
        heard = [each for each in self._powers if each > max(self._powers) - PAUSE_DB]
        return float(float(np.std(heard)) > VARIES and level > max(self._powers) - PAUSE_DB)
