"""A wave as the bytes of a file or of a raw stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .write import encoded, pcm16_bytes, prepared, wav_around


def encode_wave(wave: NDArray[np.float32], sample_rate: int, format: str, *, comment: str = "") -> bytes:
    """`wave` [samples] in -1..1 in a container (`wav`, `flac`, ...), or as raw samples (`pcm_s16le`, `pcm_f32le`).

    `comment` is what a container says about itself. Raises VallEError for values that aren't numbers.
    """
    if format == "pcm_f32le":
        return prepared(wave).astype("<f4").tobytes()
    if format == "pcm_s16le":
        return pcm16_bytes(wave)
    if format == "wav":
        before, behind = wav_around(sample_rate, len(wave), comment)
        return before + pcm16_bytes(wave) + behind
    return encoded(wave, sample_rate, format=format, comment=comment)
