"""How alike two voices sound: a fixed-length description of a recording's speaker, and the cosine of two of them.

The description is the means, deviations and medians of mel cepstra over the frames that are sound, and the median
pitch, projected to the directions in which speakers differ most and one speaker least: linear discriminant analysis
(Fisher 1936). The projection beside this file was fitted by `tools/train_mini voiceprint`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .pitch import median_pitch
from .signal import resample
from .vad import Wave

Floats = NDArray[np.float64]
RATE = 16_000
FRAME, HOP, FFT, MELS = 400, 160, 512, 40
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz, of the mel bands."""
MEANS, DEVIATIONS, MEDIANS = slice(1, 30), slice(0, 30), slice(1, 20)
"""Which cepstra the parts of a description take. c_0 is loudness, which says nothing but by how much it varies."""
FLOOR, SILENCE = 1e-6, 1e-3
"""Powers relative to the loudest frame: added before the logarithm; below which a frame is silence."""
MIDDLE_PITCH = 147.0
"""Hz, for what has no pitch, as whispers."""
LEAST_FRAMES = 30
PROJECTION = Path(__file__).with_name("speaker.safetensors")


def statistics(wave: Wave, rate: int) -> Floats | None:
    """What is measured of a recording [n], before the projection; None where it holds less than 0.3 s of sound."""
    sound = resample(np.asarray(wave, np.float32), rate, RATE)
    sound = sound - sound.mean() if len(sound) else sound
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (0, FRAME)), FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), FFT)) ** 2  # [T, FFT / 2 + 1]
    energy = power.sum(1)
    loudest = float(energy.max())
    heard = energy > loudest * SILENCE
    if loudest <= 0.0 or np.count_nonzero(heard) < LEAST_FRAMES:
        return None
    logs = np.log(power[heard] @ _mel_bands().T + FLOOR * loudest / power.shape[1])
    cepstra = logs @ _cosines().T  # [T, MELS]
    pitch = np.log2(median_pitch(sound, RATE) or MIDDLE_PITCH)
    return np.concatenate([
        cepstra.mean(0)[MEANS], cepstra.std(0)[DEVIATIONS], np.median(cepstra, 0)[MEDIANS], [pitch],
    ])  # fmt: skip


def voiceprint(wave: Wave, rate: int) -> Floats | None:
    """The description [D], of length 1, of who speaks in a recording.

    Args:
        wave: samples [n].
        rate: in Hz.

    Returns:
        None where there is hardly any sound in it.
    """
    found = statistics(wave, rate)
    if found is None:
        return None
    middle, scale, projection = _projection()
    placed = ((found - middle) / scale) @ projection
    return np.asarray(placed / np.linalg.norm(placed))


def likeness(one: Floats, other: Floats) -> float:
    """The cosine of two descriptions: 1 for the same sound; speakers who have nothing in common are near 0."""
    return float(one @ other)


@cache
def _projection() -> tuple[Floats, Floats, Floats]:
    from safetensors.numpy import load_file

    found = load_file(PROJECTION)
    middle, scale, projection = (found[name].astype(np.float64) for name in ("middle", "scale", "projection"))
    return middle, scale, projection


@cache
def _mel_bands() -> Floats:
    """Triangles [MELS, FFT / 2 + 1] on the scale mel = 2595 log10(1 + Hz / 700)."""
    low, high = (2595 * np.log10(1 + each / 700) for each in (LOWEST, HIGHEST))
    edges = 700 * (10 ** (np.linspace(low, high, MELS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(FFT, 1 / RATE)
    rising = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


@cache
def _cosines() -> Floats:
    """The orthonormal DCT-II, without the special case of its first row."""
    bands = np.arange(MELS)
    return np.asarray(np.cos(np.pi / MELS * (bands + 0.5) * bands[:, None]) * np.sqrt(2 / MELS))
