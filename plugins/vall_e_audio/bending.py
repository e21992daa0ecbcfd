"""Samples at another pace, with other formants, at another pitch.

Time is stretched by WSOLA (Verhelst and Roelands 1993): overlapping windows, each shifted to where it continues the
last one best. Formants are the spectral envelope, smoothed in the cepstrum and stretched along the frequency axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .clip import Samples

WINDOW, SEARCH = 0.04, 0.012
"""Seconds: a window, and how far it may be shifted either way."""
ENVELOPE = 0.0015
"""Seconds of the cepstrum that are the envelope's: less than a period of any voice."""
MOST_GAIN = 3.0
"""By which a bin may be changed either way: a factor of e^3, 26 dB."""


def bent(
    wave: Samples, sample_rate: int, *, pitch: float = 0.0, formant: float | None = None, rate: float = 1.0
) -> Samples:
    """Samples [n] with pitch and formants moved by semitones (formants None: as the pitch), at a pace of `rate`.

    About n / rate of them, within -1..1.
    """
    import soxr

    factor = 2.0 ** (pitch / 12)
    made = np.asarray(wave, dtype=np.float64)
    if pitch:
        made = np.asarray(soxr.resample(made, sample_rate * factor, sample_rate, quality="HQ"), dtype=np.float64)
    made = stretch(made, factor / rate, sample_rate)
    if formant is not None and formant != pitch:
        made = move_formants(made, 2.0 ** ((formant - pitch) / 12), sample_rate)
    peak = float(np.abs(made).max(initial=0.0))
    return (made / max(1.0, peak)).astype(np.float32)


def move_formants(wave: NDArray[np.float64], factor: float, sample_rate: int) -> NDArray[np.float64]:
    """Samples [n] whose spectral envelope lies `factor` times as high, at the same pitch.

    In windows of 40 ms; the envelope is what the first 1.5 ms of the cepstrum hold of the log spectrum.
    """
    half = round(WINDOW * sample_rate / 2)
    hop, size = half // 2, 1 << (4 * half - 1).bit_length()
    window = np.hanning(2 * half + 1)[:-1]
    padded = np.pad(wave, (2 * half, 4 * half))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)[::hop]
    spectrum = np.fft.rfft(blocks * window, size)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1e-6), size)
    kept = round(ENVELOPE * sample_rate)
    cepstrum[:, kept : size - kept + 1] = 0.0
    envelope = np.fft.rfft(cepstrum, size).real
    bins = np.arange(envelope.shape[1])
    moved = np.stack([np.interp(bins / factor, bins, row) for row in envelope])
    shaped = np.fft.irfft(spectrum * np.exp(np.clip(moved - envelope, -MOST_GAIN, MOST_GAIN)), size)[:, : 2 * half]
    made = np.zeros(len(blocks) * hop + 2 * half)
    weight = np.full(len(made), 1e-9)
    for at, block in enumerate(shaped * window):
        made[at * hop : at * hop + 2 * half] += block
        weight[at * hop : at * hop + 2 * half] += np.square(window)
    found: NDArray[np.float64] = (made / np.maximum(weight, 1e-3))[2 * half : 2 * half + len(wave)]
    return found


def stretch(wave: NDArray[np.float64], factor: float, sample_rate: int) -> NDArray[np.float64]:
    """Samples [n] made `factor` times as long at the same pitch, by WSOLA."""
    half = round(WINDOW * sample_rate / 2)
    reach = round(SEARCH * sample_rate)
    if abs(factor - 1) < 1e-6 or len(wave) < 4 * half:
        return wave
    window = np.hanning(2 * half + 1)[:-1]
    count = max(1, round(len(wave) * factor / half))
    padded = np.pad(wave, (half + reach, 4 * half + 2 * reach))
    made = np.zeros((count + 1) * half)
    weight = np.full(len(made), 1e-9)
    place = half + reach
    for step in range(count):
        if step:
            wanted = half + reach + round(step * half / factor)
            following = padded[place + half : place + 3 * half]  # what would go on without a seam
            start = min(max(0, wanted - reach), len(padded) - 2 * half - 2 * reach - 1)
            around = padded[start : start + 2 * half + 2 * reach]
            likeness = np.correlate(around, following, "valid")
            power = np.cumsum(np.pad(np.square(around), (1, 0)))
            energy = power[2 * half :] - power[: len(power) - 2 * half]
            place = start + int(np.argmax(likeness / np.sqrt(np.maximum(energy, 1e-9))))
        made[step * half : (step + 2) * half] += window * padded[place : place + 2 * half]
        weight[step * half : (step + 2) * half] += window
    found: NDArray[np.float64] = made / np.maximum(weight, 1e-3)
    return found[: round(len(wave) * factor)]
