"""A wave as the bytes of a file or of a raw stream."""

from __future__ import annotations

import io
import wave as wave_module

import numpy as np
from numpy.typing import NDArray

from vall_e_core.errors import UsageError, VallEError


def encode_wave(wave: NDArray[np.float32], sample_rate: int, format: str) -> bytes:
    """`wave` [samples] in -1..1 as 16-bit PCM in a container (`wav`, `flac`, `ogg`), or as raw samples (`pcm_s16le`,
    `pcm_f32le`). The same wave always gives the same bytes. Raises VallEError for values that aren't numbers.
    """
    if not np.isfinite(wave).all():
        raise VallEError("the audio holds values that aren't numbers (stage: output)", try_="--dtype float32")
    if format == "pcm_f32le":
        return wave.astype("<f4").tobytes()
    if format == "pcm_s16le":
        return to_int16(wave).tobytes()
    if format == "wav":
        buffer = io.BytesIO()
        with wave_module.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(to_int16(wave).tobytes())
        return buffer.getvalue()
    if format in ("flac", "ogg"):
        import soundfile

        buffer = io.BytesIO()
        subtype = "PCM_16" if format == "flac" else "VORBIS"
        soundfile.write(buffer, np.clip(wave, -1.0, 1.0), sample_rate, format=format.upper(), subtype=subtype)
        return buffer.getvalue()
    raise UsageError(f"unknown format: {format}")


def to_int16(wave: NDArray[np.float32]) -> NDArray[np.int16]:
    """-1..1 as 16-bit samples, little-endian; what lies outside is clipped."""
    return np.clip(np.rint(wave.astype(np.float64) * 32767.0), -32768, 32767).astype("<i2")
