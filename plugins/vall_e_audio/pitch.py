"""The pitch of a voice, from the autocorrelation of short frames; speech brought to another's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bending import bent
from .vad import Wave

LOWEST_HZ, HIGHEST_HZ = 60.0, 420.0
_FRAME_SECONDS, _HOP_SECONDS = 0.04, 0.02
_VOICED = 0.6
"""Normalized autocorrelation at the period, from which a frame counts as voiced."""
_NEAR_BEST = 0.9
"""The first peak that is this near to the highest one is the period: multiples of a period correlate as well."""
_LEAST_FRAMES = 5
FROM_SEMITONES, TO_SEMITONES = 1.0, 7.0
"""Speech nearer to its reference than this is left alone, and so is speech farther away, where one of the two is likely
to have been heard an octave off."""


def median_pitch(wave: Wave, rate: int) -> float | None:
    """Median fundamental frequency in Hz of `wave` [n], to 0.1 Hz; None where hardly anything in it has a pitch.

    The autocorrelation of a windowed frame is divided by the window's own (Boersma, "Accurate short-term analysis of
    the fundamental frequency", 1993).
    """
    size, hop = round(_FRAME_SECONDS * rate), round(_HOP_SECONDS * rate)
    if len(wave) < size or rate < 4 * HIGHEST_HZ:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop].astype(np.float64)  # [F, size]
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.square(frames).mean(axis=1)
    frames = frames[energy > 0.01 * energy.max()]
    window = np.hanning(size)
    length = 1 << (2 * size - 1).bit_length()

    def correlation(of: NDArray[np.float64]) -> NDArray[np.float64]:
        spectrum = np.fft.rfft(of, length, axis=-1)
        return np.fft.irfft(spectrum * spectrum.conj(), length, axis=-1)

    low, high = int(rate / HIGHEST_HZ), min(int(rate / LOWEST_HZ) + 1, size * 3 // 4)
    whole = correlation(frames * window)
    own = correlation(window)
    with np.errstate(invalid="ignore", divide="ignore"):
        curve = whole / whole[:, :1] / (own / own[0])  # [F, length]
    curve = np.nan_to_num(curve[:, low - 1 : high + 2])
    inner = curve[:, 1:-1]
    best = inner.max(axis=1, initial=0.0)
    peaks = (inner >= curve[:, :-2]) & (inner > curve[:, 2:]) & (inner >= _NEAR_BEST * best[:, None])
    voiced = peaks.any(axis=1) & (best > _VOICED)
    if np.count_nonzero(voiced) < _LEAST_FRAMES:
        return None
    return round(float(np.median(rate / (low + peaks[voiced].argmax(axis=1)))), 1)


def at_pitch(wave: Wave, rate: int, hertz: float) -> tuple[Wave, float]:
    """`wave` [n] with its median pitch moved to `hertz`, the formants kept; and by how many semitones (0: left)."""
    own = median_pitch(wave, rate)
    steps = 0.0 if own is None else 12 * float(np.log2(hertz / own))
    if not FROM_SEMITONES <= abs(steps) <= TO_SEMITONES:
        return wave, 0.0
    return bent(wave, rate, pitch=steps, formant=0.0), steps
