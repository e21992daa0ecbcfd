"""Audio of any length as pieces that a model can take whole, cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vall_e_core.audio import AudioClip, read_windows

if TYPE_CHECKING:
    from torch import Tensor

#: Level is measured in frames of this length.
FRAME_SECONDS = 0.02
#: A pause this long ends a piece; this much of it stays on either side.
PAUSE_SECONDS, MARGIN_SECONDS = 0.35, 0.12
#: A frame is quiet below this share of the loud frames' level, or below -60 dBFS.
RELATIVE_QUIET, ABSOLUTE_QUIET = 0.02, 1e-3
#: A piece with less sound than this is a click; one shorter than this is padded with silence for the codec.
CLICK_SECONDS, SHORTEST_SECONDS = 0.05, 0.3
_BLOCK_SECONDS = 60.0

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A piece of the audio: `samples` [n], and where it lies, in seconds."""

    samples: Wave
    start: float
    seconds: float

    @property
    def wave(self) -> Tensor:
        """The samples as a codec takes them."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(self.samples))


class Voiced:
    """Iterates over the pieces of a recording; afterwards `seconds` is its length and `warnings` what was noticed."""

    def __init__(self, blocks: Iterator[Wave], sample_rate: int, longest: float) -> None:
        self._blocks, self._rate, self._longest = blocks, sample_rate, longest
        self.seconds = 0.0
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Window]:
        pending: Wave = np.zeros(0, np.float32)
        offset = 0
        for block in self._blocks:
            self.seconds += len(block) / self._rate
            pending = np.concatenate([pending, block])
            spans, used = cut(pending, self._rate, self._longest, final=False)
            for start, stop in spans:
                yield self._window(pending, start, stop, offset)
            pending, offset = pending[used:], offset + used
        for start, stop in cut(pending, self._rate, self._longest, final=True)[0]:
            yield self._window(pending, start, stop, offset)

    def _window(self, wave: Wave, start: int, stop: int, offset: int) -> Window:
        samples = wave[start:stop]
        short = round(SHORTEST_SECONDS * self._rate) - len(samples)
        if short > 0:
            samples = np.pad(samples, (short // 2, short - short // 2))
        return Window(samples, (offset + start) / self._rate, (stop - start) / self._rate)


def read_voiced(source: Path | str | BinaryIO | AudioClip, sample_rate: int, longest: float) -> Voiced:
    """The pieces of a file (or of a clip in memory), none longer than `longest` seconds, in bounded memory.

    Iterating raises InputError where the file can't be read.
    """
    if isinstance(source, AudioClip):
        clip = source

        def blocks() -> Iterator[Wave]:
            from vall_e_core.audio.signal import resample

            yield resample(clip.samples, clip.sample_rate, sample_rate)

        return Voiced(blocks(), sample_rate, longest)
    notices: list[str] = []
    found = Voiced(_file_blocks(source, sample_rate, notices.append), sample_rate, longest)
    found.warnings = notices
    return found


def _file_blocks(source: Path | str | BinaryIO, sample_rate: int, notify: Callable[[str], None]) -> Iterator[Wave]:
    for clip in read_windows(source, _BLOCK_SECONDS, sample_rate=sample_rate, notify=notify):
        yield clip.samples


def cut(wave: Wave, rate: int, longest: float, *, final: bool) -> tuple[list[tuple[int, int]], int]:
    """The spoken spans [start, stop) of `wave` in samples, and how much of it is dealt with.

    Without `final` more is to come: a span that may go on is left for the next call.
    """
    size = max(1, round(FRAME_SECONDS * rate))
    levels = frame_levels(wave, size)
    if not len(levels):
        return [], len(wave) if final else 0
    loud = float(np.quantile(levels, 0.95))
    voiced = levels > max(ABSOLUTE_QUIET, RELATIVE_QUIET * loud)
    pause, margin = round(PAUSE_SECONDS / FRAME_SECONDS), round(MARGIN_SECONDS / FRAME_SECONDS)
    spans: list[tuple[int, int]] = []
    done = 0
    for start, stop in _runs(voiced, pause):
        if not final and stop + pause >= len(levels):
            break
        done = stop + margin
        if np.count_nonzero(voiced[start:stop]) * FRAME_SECONDS < CLICK_SECONDS:
            continue
        spans += _split(levels, max(0, start - margin), min(len(levels), stop + margin), longest)
    else:
        done = len(levels) if final else max(done, len(levels) - pause - margin)
    if not final and not spans and len(wave) > 2 * longest * rate:  # nobody pauses for breath
        forced = _split(levels, 0, len(levels), longest)[:-1]
        spans, done = forced, forced[-1][1] if forced else 0
    samples = [(start * size, min(stop * size, len(wave))) for start, stop in spans]
    return samples, len(wave) if final else min(max(done, 0) * size, len(wave))


def frame_levels(wave: Wave, size: int) -> NDArray[np.float64]:
    """The level (RMS about the mean) of each frame of `size` samples [n]; the last one may be shorter."""
    if len(wave) == 0:
        return np.zeros(0)
    count = -(-len(wave) // size)
    padded = np.pad(wave.astype(np.float64), (0, count * size - len(wave)), mode="edge").reshape(count, size)
    found: NDArray[np.float64] = padded.std(axis=1)
    return found


def _runs(voiced: NDArray[np.bool_], pause: int) -> list[tuple[int, int]]:
    """Stretches of voiced frames, with gaps shorter than `pause` frames filled."""
    at = np.flatnonzero(voiced)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > pause)
    starts = np.concatenate(([at[0]], at[breaks + 1]))
    stops = np.concatenate((at[breaks], [at[-1]])) + 1
    return [(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)]


def _split(levels: NDArray[np.float64], start: int, stop: int, longest: float) -> list[tuple[int, int]]:
    """A span of frames as pieces of at most `longest` seconds, cut at the quietest place of each one's second half."""
    most = max(2, int(longest / FRAME_SECONDS))
    pieces: list[tuple[int, int]] = []
    while stop - start > most:
        low, high = start + most // 2, start + most
        smooth = np.convolve(levels[low:high], np.ones(5) / 5, mode="same")
        at = low + int(np.argmin(smooth))
        pieces.append((start, at))
        start = at
    return [*pieces, (start, stop)]
