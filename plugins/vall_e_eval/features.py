"""Numbers from samples: frames, mel cepstra, fundamental frequency, distances. All of it is numpy and scipy.

Everything works at `RATE`; `at_rate` brings samples there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .judged import Recording

Floats = NDArray[np.float64]

RATE = 16000
FRAME, HOP = 400, 160
"""25 ms every 10 ms."""
FFT, MELS = 512, 40
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz, of the mel bands."""
ACTIVE_DB = 35.0
"""A frame this far below the loudest one is silence."""
F0_RANGE = (50.0, 500.0)
"""Hz."""
YIN_WINDOW = 512
"""Samples that are compared with those a period later: 32 ms."""
YIN_THRESHOLD = 0.25
_TINY = 1e-10


def at_rate(recording: Recording, rate: int = RATE) -> Floats:
    """Samples [n] at `rate`."""
    import soxr

    wave = np.asarray(recording.wave, dtype=np.float64)
    if recording.sample_rate == rate or len(wave) == 0:
        return wave
    return np.asarray(soxr.resample(wave, recording.sample_rate, rate, quality="HQ"), dtype=np.float64)


def frames(wave: Floats, length: int = FRAME, hop: int = HOP) -> Floats:
    """[n] -> [T, length], the end filled up with zeros; one frame at least."""
    count = 1 + max(0, -(-(len(wave) - length) // hop))
    padded = np.pad(wave, (0, max(0, (count - 1) * hop + length - len(wave))))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop][:count]


def active(wave: Floats, length: int = FRAME, hop: int = HOP) -> NDArray[np.bool_]:
    """Which frames [T] are sound: not more than `ACTIVE_DB` below the loudest."""
    energy = np.square(frames(wave, length, hop)).mean(1)
    return np.asarray(energy > max(energy.max() * 10 ** (-ACTIVE_DB / 10), _TINY))


@lru_cache(maxsize=1)
def mel_bank() -> Floats:
    """Triangles [MELS, FFT // 2 + 1] on the scale mel = 2595 log10(1 + Hz / 700)."""
    def mel(hertz: Floats) -> Floats:
        return np.asarray(2595 * np.log10(1 + hertz / 700))

    ends = mel(np.array([LOWEST, HIGHEST]))
    edges = 700 * (10 ** (np.linspace(ends[0], ends[1], MELS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1) * RATE / FFT
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


def mel_cepstra(wave: Floats, count: int) -> Floats:
    """c_1 .. c_count of every frame, [T, count]: log|S| = c_0 + sum c_k cos(pi k (m + 1/2) / MELS) over mel bands m.

    Natural logarithm of the amplitude; Hann windows.
    """
    from scipy.fft import dct

    spectrum = np.abs(np.fft.rfft(frames(wave) * np.hanning(FRAME), FFT)) ** 2
    logs = 0.5 * np.log(np.maximum(spectrum @ mel_bank().T, _TINY))
    return np.asarray(dct(logs, type=2, axis=1)[:, 1 : count + 1] / MELS, dtype=np.float64)


def fundamental(wave: Floats) -> Floats:
    """F0 in Hz of every 10 ms, [T]; NaN where there is no voice.

    YIN (de Cheveigné and Kawahara 2002): the first dip of the cumulative mean normalized difference below
    `YIN_THRESHOLD`, refined by a parabola. Frames that are silence don't count.
    """
    shortest, longest = int(RATE / F0_RANGE[1]), int(RATE / F0_RANGE[0])
    blocks = frames(wave, YIN_WINDOW + longest + 1, HOP)
    heads = blocks[:, :YIN_WINDOW]
    size = 1 << (YIN_WINDOW + longest).bit_length()
    product = np.fft.irfft(np.fft.rfft(blocks, size) * np.conj(np.fft.rfft(heads, size)), size)[:, : longest + 1]
    power = np.cumsum(np.pad(np.square(blocks), ((0, 0), (1, 0))), axis=1)
    energy = power[:, YIN_WINDOW : YIN_WINDOW + longest + 1] - power[:, : longest + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * product, 0.0)  # d(tau), tau = 0 .. longest
    lags = np.arange(1, longest + 1)
    normal = np.ones_like(difference)
    normal[:, 1:] = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), _TINY)
    inner = normal[:, shortest : longest]
    dips = (inner < YIN_THRESHOLD) & (inner <= normal[:, shortest - 1 : longest - 1])
    dips &= inner < normal[:, shortest + 1 : longest + 1]
    found = dips.any(1)
    lag = shortest + dips.argmax(1)
    rows = np.arange(len(normal))
    before, here, after = normal[rows, lag - 1], normal[rows, lag], normal[rows, np.minimum(lag + 1, longest)]
    bend = before - 2 * here + after
    shift = np.where(np.abs(bend) > _TINY, 0.5 * (before - after) / np.where(np.abs(bend) > _TINY, bend, 1.0), 0.0)
    loud = np.square(heads).mean(1)
    found &= loud > max(loud.max() * 10 ** (-ACTIVE_DB / 10), _TINY)
    return np.where(found, RATE / (lag + np.clip(shift, -1, 1)), np.nan)


def median_pitch(wave: Floats) -> float | None:
    """The median F0 in Hz over all voiced frames; None with less than 50 ms of voice."""
    found = fundamental(wave)
    voiced = found[~np.isnan(found)]
    return float(np.median(voiced)) if len(voiced) >= 5 else None


def warp(left: Floats, right: Floats) -> tuple[Floats, int]:
    """Dynamic time warping of [T, d] and [S, d] by Euclidean distance; steps (1, 0), (0, 1), (1, 1), all of weight 1.

    Returns the accumulated distance as a scalar array and the number of pairs on the best path.
    """
    cost = np.sqrt(np.maximum(np.square(left).sum(1)[:, None] + np.square(right).sum(1) - 2 * left @ right.T, 0.0))
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    steps = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    total[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        ways = np.stack([total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]])
        best = ways.argmin(0)
        total[i, j] = cost[i - 1, j - 1] + ways[best, np.arange(len(i))]
        from_i, from_j = i - (best != 2), j - (best != 1)
        steps[i, j] = steps[from_i, from_j] + 1
    return total[rows, columns], int(steps[rows, columns])


def mel_cepstral_distortion(left: Floats, right: Floats) -> float:
    """In dB: (10 / ln 10) sqrt(2 sum_{k=1..13} (c_k - c'_k)^2), the mean over the warped path (Kubichek 1993)."""
    total, pairs = warp(mel_cepstra(left, 13), mel_cepstra(right, 13))
    return float(10 / np.log(10) * np.sqrt(2) * total / pairs)


def align(original: Floats, made: Floats, most: int) -> tuple[Floats, Floats]:
    """Both at the lag (up to `most` samples) where they agree best, cut to what they share."""
    from scipy.signal import correlate

    agreement = correlate(made, original, mode="full", method="fft")
    middle = len(original) - 1
    near = slice(max(0, middle - most), middle + most + 1)
    lag = int(np.argmax(agreement[near])) + near.start - middle
    left, right = (original, made[lag:]) if lag >= 0 else (original[-lag:], made)
    length = min(len(left), len(right))
    return left[:length], right[:length]


def si_sdr(original: Floats, made: Floats) -> float | None:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux and others 2019), of [n] and [n]; None for silence.

    At most 100 dB, so that equal signals have a number.
    """
    original, made = original - original.mean(), made - made.mean()
    power = float(original @ original)
    if power < _TINY or float(made @ made) < _TINY:
        return None
    target = (made @ original) / power * original
    noise = float(np.square(made - target).sum())
    return float(min(100.0, 10 * np.log10(max(float(target @ target), _TINY) / max(noise, _TINY))))
