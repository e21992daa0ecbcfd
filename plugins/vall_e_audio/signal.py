"""Checks and changes of samples: mixing down, silence, clipping, resampling. All arrays are float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vall_e_core import InputError

from .clip import Samples

SILENCE_DBFS = -60.0
"""A peak below this, its constant part removed, is silence."""
DEAD_CHANNEL = 1e-3
"""A channel whose peak is this fraction of the loudest one's carries nothing."""
CANCELLING = 0.1
"""Where the mean of the channels is this much weaker than the loudest of them, they cancel each other."""
CLIPPED_FRACTION = 0.05
LOUDEST_PEAK = 1.25
"""Decoders overshoot 1.0 a little; beyond this the file's scale is wrong."""
OFFSET = 0.1
"""A constant part stronger than this share of the sound (RMS) is a fault of the recorder. Speech alone has 0.01."""

Notify = Callable[[str], None]


def check_finite(samples: Samples, source: str) -> None:
    """Raises InputError for NaN or infinity."""
    bad = int(samples.size - np.count_nonzero(np.isfinite(samples)))
    if bad:
        raise InputError(
            f"{source} holds {bad} samples that aren't numbers (NaN or infinity)",
            cause="the program that wrote it is faulty",
            try_="write the file again, as 16-bit PCM",
        )


def mix_down(channels: Samples, source: str, notify: Notify) -> Samples:
    """[N, C] -> [N]: the mean of the channels that carry anything.

    A channel that is silent beside the others is left out, so that speech on one side keeps its level. Channels that
    cancel each other (one of them inverted) give the loudest of them.
    """
    if channels.shape[1] == 1 or len(channels) == 0:
        return np.ascontiguousarray(channels[:, 0])
    centred = channels - channels.mean(axis=0)
    peaks = np.abs(centred).max(axis=0)
    alive = peaks > DEAD_CHANNEL * peaks.max()
    if not alive.any():
        alive[:] = True
    if not alive.all() and peaks.max() > 0:
        silent = int((~alive).sum())
        notify(f"{source}: {silent} of {len(alive)} channels {'is' if silent == 1 else 'are'} silent and left out")
    mixed = channels[:, alive].mean(axis=1, dtype=np.float32)
    energies = np.square(centred, dtype=np.float64).mean(axis=0)
    loudest = int(energies.argmax())
    if np.square(mixed - mixed.mean(), dtype=np.float64).mean() < CANCELLING**2 * energies[loudest]:
        notify(f"{source}: its channels cancel each other, so only channel {loudest + 1} is used")
        mixed = channels[:, loudest]
    return np.ascontiguousarray(mixed, dtype=np.float32)


def peak_dbfs(samples: Samples) -> float:
    """The peak, its constant part removed, in decibels relative to full scale; -inf for silence."""
    if samples.size == 0:
        return float("-inf")
    peak = float(np.abs(samples - samples.mean(dtype=np.float64)).max())
    return 20 * float(np.log10(peak)) if peak > 0 else float("-inf")


def tame(samples: Samples, source: str, notify: Notify) -> Samples:
    """Scale down what is far too loud, report what was clipped when it was recorded, take off a constant part."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > LOUDEST_PEAK:
        notify(f"{source}: its peak is {peak:.3g}, beyond full scale; it was scaled down to 1")
        samples = (samples / np.float32(peak)).astype(np.float32, copy=False)
    elif np.count_nonzero(np.abs(samples) >= 0.999) > CLIPPED_FRACTION * max(1, samples.size):
        clipped = np.count_nonzero(np.abs(samples) >= 0.999) / samples.size
        notify(f"{source}: {clipped:.0%} of it is clipped; a cleaner recording gives a better voice")
    return centred(samples, source, notify)


def centred(samples: Samples, source: str, notify: Notify) -> Samples:
    """Without a constant part, where there is one worth the name: a codec would hear it as loudness."""
    if samples.size == 0:
        return samples
    offset = float(samples.mean(dtype=np.float64))
    if abs(offset) <= OFFSET * float(samples.std(dtype=np.float64)):
        return samples
    notify(f"{source}: a DC offset ({offset:.2g} of full scale) was removed")
    return (samples - np.float32(offset)).astype(np.float32, copy=False)


def resample(samples: Samples, before: int, after: int) -> Samples:
    """[N] at `before` Hz -> [N · after / before] at `after` Hz."""
    if before == after or samples.size == 0:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, before, after, quality="HQ"), dtype=np.float32)
