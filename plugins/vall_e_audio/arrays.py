"""Samples that a program has in memory, as the file that they would be: then they get every check that a file gets."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from vall_e_core import InputError, UsageError

MOST_CHANNELS = 64
LARGEST = 1 << 28
"""Samples in memory at most: 1 GiB of a file."""


def is_samples(value: object) -> bool:
    """Whether `value` is an array or a tensor, of numpy, torch or whatever offers itself to numpy."""
    return hasattr(value, "__array__") and not isinstance(value, str | bytes)


def as_wav(samples: Any, sample_rate: int | None, name: str) -> bytes:  # noqa: ANN401 - numpy's and torch's, and lists
    """A WAV file of 32-bit floats with the samples.

    Args:
        samples: [n], [channels, n] or [n, channels]; whole numbers are of full scale, as in a file.
        sample_rate: in Hz.
        name: what messages call them.

    Raises:
        UsageError: where there is no rate, or the shape or the type can't be audio's.
        InputError: for more samples than memory is given for.
    """
    import soundfile

    if sample_rate is None:
        raise UsageError(
            f"{name} has no sample rate", cause="an array has no sample rate of its own",
            try_="sample_rate=24000 beside them, or a pair (samples, 24000)",
        )  # fmt: skip
    whole = isinstance(sample_rate, int | np.integer) and not isinstance(sample_rate, bool)
    if not whole or not 1000 <= sample_rate <= 768_000:
        raise UsageError(f"no sample rate: {sample_rate!r}", try_="a whole number of Hz, 1000 to 768000")
    found = _array(samples, name)
    if found.size > LARGEST:
        raise InputError(f"{name} holds {found.size} samples; {LARGEST} is the most", try_="write them to a file first")
    if found.ndim > 2:  # a codec's [batch, channels, n] of one recording
        found = found.squeeze()
    if found.ndim == 2 and found.shape[0] < found.shape[1]:
        found = found.T
    if found.ndim not in (1, 2) or (found.ndim == 2 and not 1 <= found.shape[1] <= MOST_CHANNELS):
        raise UsageError(f"{name} has the shape {list(found.shape)}", try_="samples [n], or [channels, n]")
    file = io.BytesIO()
    soundfile.write(file, found, int(sample_rate), format="WAV", subtype="FLOAT")
    return file.getvalue()


def _array(samples: Any, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:  # noqa: ANN401 - as above
    """The samples as float32, where 1 is full scale."""
    value = samples
    if hasattr(value, "detach"):  # a tensor of torch, on any device and of any type
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() else value).numpy()
    found = np.asarray(value)
    kind = found.dtype.kind
    if kind == "f":
        return found.astype(np.float32)
    if kind == "i" and found.dtype.itemsize <= 4:  # of 64 bits nobody knows what full scale is meant to be
        return (found / -float(np.iinfo(found.dtype).min)).astype(np.float32)
    if found.dtype == np.uint8:
        return ((found.astype(np.float32) - 128) / 128).astype(np.float32)
    raise UsageError(f"{name} holds {found.dtype}, which no samples are", try_="floats in -1..1, or int16")
