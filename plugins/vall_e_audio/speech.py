"""From the probability of speech, moment by moment, to the frames that belong to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Levels and probabilities are given for frames of this length.
FRAME_SECONDS = 0.02
#: A frame is quiet below this share of the loud frames' level, or below -60 dBFS.
RELATIVE_QUIET, ABSOLUTE_QUIET = 0.02, 1e-3
#: A frame that is likelier speech than this may belong to it.
LIKELY = 0.3
#: Likely frames are one stretch over gaps of up to this long.
GAP_SECONDS = 0.3
#: How likely the best 0.1 s of a stretch have to be: to count at all, and to count whatever surrounds them.
DOUBTFUL, SURE = 0.5, 0.9
_BEST_FRAMES = 5
#: A doubtful stretch counts where it is this much louder than what surrounds it. Music is loud before and after it.
STANDS_OUT = 3.0
_AROUND, _BESIDE = 50, 10
#: Sound that doesn't rise or fall by this many decibels (standard deviation), nor in the half second after it, is hum.
STEADY, _AFTER = 1.0, 25
#: Sound this near to a stretch belongs to it: soft consonants at the ends of words.
BEFORE_SECONDS, AFTER_SECONDS = 0.35, 0.25
#: A frame likelier than this isn't noise; with this much noise its level is known, and sound is this much above it.
UNLIKELY, ENOUGH_FRAMES, ABOVE_NOISE = 0.1, 25, 1.6
#: However quiet the recording is otherwise, what has less than this share of the loud frames' level isn't sound.
FAINT = 1e-3
#: The network takes up to this long to notice that speech has ended.
LATE_SECONDS = 0.7
_EARLY = 3

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def frame_levels(wave: NDArray[np.float32], size: int) -> Floats:
    """The level (RMS about the mean) of each frame of `size` samples [n]; the last one may be shorter."""
    if len(wave) == 0:
        return np.zeros(0)
    count = -(-len(wave) // size)
    padded = np.pad(wave.astype(np.float64), (0, count * size - len(wave)), mode="edge").reshape(count, size)
    found: Floats = padded.std(axis=1)
    return found


def runs(marked: Bools, gap: int) -> list[tuple[int, int]]:
    """Stretches [start, stop) of marked frames, over gaps of up to `gap` frames."""
    at = np.flatnonzero(marked)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > gap)
    starts = np.concatenate(([at[0]], at[breaks + 1]))
    stops = np.concatenate((at[breaks], [at[-1]])) + 1
    return [(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def sounding_frames(levels: Floats) -> Bools:
    """The frames [n] that aren't quiet, beside the loud ones among them."""
    if not len(levels):
        return np.zeros(0, bool)
    loud = float(np.quantile(levels, 0.95))
    found: Bools = levels > max(ABSOLUTE_QUIET, RELATIVE_QUIET * loud)
    return found


def speech_frames(levels: Floats, likely: Floats | None) -> Bools:
    """The frames [n] in which somebody speaks.

    Args:
        levels: of the frames [n].
        likely: the probability of speech in each [n]; None: whatever sounds is taken for speech.
    """
    sounding = sounding_frames(levels)
    if likely is None:
        return sounding
    noise = levels[likely < UNLIKELY]
    above = np.ones(len(levels), bool)
    if len(noise) >= ENOUGH_FRAMES:
        above = levels > max(ABOVE_NOISE * float(np.median(noise)), FAINT * float(np.quantile(levels, 0.95)))
        sounding &= above
    late = round(LATE_SECONDS / FRAME_SECONDS)
    found = np.zeros(len(levels), bool)
    before, after = round(BEFORE_SECONDS / FRAME_SECONDS), round(AFTER_SECONDS / FRAME_SECONDS)
    for start, stop in runs(likely > LIKELY, round(GAP_SECONDS / FRAME_SECONDS)):
        if not _counts(levels, likely, start, stop):
            continue
        first = np.flatnonzero(above[start : min(stop, start + _EARLY)])
        start += int(first[0]) if len(first) else 0
        heard = np.flatnonzero(above[max(start, stop - late) : stop])
        stop -= min(late, stop - start) - (int(heard[-1]) + 1 if len(heard) else 0)
        found[start:stop] = True
        for near in (slice(max(0, start - before), start), slice(stop, stop + after)):
            found[near] |= sounding[near]
    return found


def _counts(levels: Floats, likely: Floats, start: int, stop: int) -> bool:
    """Whether a stretch of likely frames is speech."""
    inside = likely[start:stop]
    width = min(_BEST_FRAMES, len(inside))
    best = float(np.convolve(inside, np.ones(width) / width, "valid").max())
    loudness = 20 * np.log10(levels[start : stop + _AFTER] + 1e-6)
    if best < DOUBTFUL or best >= SURE:
        return best >= SURE and float(loudness.std()) > STEADY
    around = np.concatenate([
        levels[max(0, start - _AROUND) : max(0, start - _BESIDE)], levels[stop + _BESIDE : stop + _AROUND]
    ])  # fmt: skip
    if not len(around):
        return True
    own = float(np.sqrt(np.square(levels[start:stop]).mean()))
    return own > STANDS_OUT * float(np.median(around))
