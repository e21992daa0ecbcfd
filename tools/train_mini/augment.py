"""Speech as the codec meets it: other vocal tracts, tilts, bands, rooms and noises.

What belongs to the voice or the recording (`Variation`) is in both the input and the target. Noise and echo are in the
input alone, so the codec learns to leave them out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from scipy.signal import fftconvolve, firwin2, lfilter

ACTIVE = 1e-3
"""Frames weaker than this part of the strongest one don't count towards the level."""
LEVEL = 0.08
"""Root mean square of what is said, after leveling."""


@dataclass(frozen=True)
class Variation:
    """One recording's voice and channel."""

    speed: float = 1.0
    """Played this much faster: pitch and formants move together."""
    tilt: float = 0.0
    """dB an octave above 500 Hz."""
    low: float = 0.0
    """Hz below which there is nothing."""
    high: float = 12000.0
    """Hz above which there is nothing."""
    gain: float = 1.0

    def filter(self, rate: int) -> np.ndarray | None:
        """A linear-phase FIR [257] for tilt and band, or None where neither is changed."""
        top = rate / 2
        if self.tilt == 0.0 and self.low == 0.0 and self.high >= top:
            return None
        grid = np.linspace(0.0, top, 129)
        shape = 10.0 ** (self.tilt * np.log2(np.maximum(grid, 500.0) / 500.0) / 20.0)
        shape = np.where((grid < self.low) | (grid > self.high), 1e-3, shape)
        return firwin2(257, grid, shape, fs=rate)


def draw(rng: np.random.Generator, rate: int) -> Variation:
    """A random variation; about a third of all recordings stay as they are but for their level."""
    speed = float(np.exp(rng.uniform(-0.17, 0.17))) if rng.random() < 0.5 else 1.0
    tilt = float(rng.uniform(-3.0, 2.0)) if rng.random() < 0.35 else 0.0
    low, high, kind = 0.0, rate / 2, rng.random()
    if kind < 0.06:  # a telephone
        low, high = float(rng.uniform(200.0, 350.0)), float(rng.uniform(3300.0, 3800.0))
    elif kind < 0.35:  # recordings at 16 kHz and their like
        high = float(rng.choice((5500.0, 7000.0, 7800.0, 7900.0, 8000.0, 10000.0)))
    return Variation(speed, tilt, low, high, float(10.0 ** (rng.uniform(-4.0, 4.0) / 20.0)))


def leveled(wave: np.ndarray, frame: int) -> np.ndarray:
    """Samples brought to `LEVEL`, measured in the frames in which somebody speaks."""
    energy = (wave[: len(wave) // frame * frame].reshape(-1, frame) ** 2).mean(1)
    if not len(energy) or energy.max() < 1e-8:
        return wave
    active = energy[energy >= energy.max() * ACTIVE]
    return np.asarray(wave * (LEVEL / np.sqrt(active.mean())), np.float32)


def varied(wave: np.ndarray, variation: Variation, rate: int, frame: int) -> np.ndarray:
    """Samples [n] of the variation's voice and channel, [n / speed] of them, leveled."""
    if variation.speed != 1.0:
        wave = soxr.resample(wave, rate * variation.speed, rate, quality="LQ")
    taps = variation.filter(rate)
    if taps is not None:
        wave = fftconvolve(wave, taps)[128 : 128 + len(wave)]
    return leveled(wave.astype(np.float32), frame) * np.float32(variation.gain)


def disturbed(wave: np.ndarray, rng: np.random.Generator, rate: int) -> np.ndarray:
    """Samples [n] with the noise and echo that a recording may have; most have none."""
    if rng.random() < 0.15:
        length = int(rng.uniform(0.1, 0.5) * rate)
        echo = rng.standard_normal(length) * 10.0 ** (-3.0 * np.arange(length) / length)
        echo[: rate // 500] = 0.0
        wave = wave + fftconvolve(wave, echo * (rng.uniform(0.1, 0.5) / np.sqrt((echo**2).sum())))[: len(wave)]
    if rng.random() < 0.35:
        color = rng.uniform(-0.5, 0.97)
        noise = lfilter([1.0], [1.0, -color], rng.standard_normal(len(wave)))
        if rng.random() < 0.3:  # hum
            time = np.arange(len(wave)) / rate
            noise = 0.3 * noise / noise.std() + np.sin(2 * np.pi * rng.choice((50.0, 60.0, 120.0)) * time)
        level = np.sqrt((wave**2).mean()) * 10.0 ** (-rng.uniform(12.0, 40.0) / 20.0)
        wave = wave + noise * (level / max(1e-6, noise.std()))
    return np.asarray(wave, np.float32)
