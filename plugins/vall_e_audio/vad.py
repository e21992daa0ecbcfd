"""Audio of any length as pieces that a model can take whole: where somebody speaks, cut where nobody does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vall_e_core import ModelError

from . import AudioClip, read_windows
from .detector import SpeechDetector, open_method
from .read import Source
from .speech import FRAME_SECONDS, frame_levels, runs, speech_frames

if TYPE_CHECKING:
    from torch import Tensor

#: A pause this long ends a piece; this much of it stays on either side.
PAUSE_SECONDS, MARGIN_SECONDS = 0.35, 0.12
#: A piece with less sound than this is a click; one shorter than this is padded with silence for the codec.
CLICK_SECONDS, SHORTEST_SECONDS = 0.05, 0.3
_BLOCK_SECONDS = 60.0
_GUARD_SECONDS = 1.5
"""How much of what follows a frame may still change whether it counts as speech."""

Wave = NDArray[np.float32]
Likely = NDArray[np.float64]


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

    def __init__(
        self, blocks: Iterator[Wave], sample_rate: int, longest: float, detector: SpeechDetector | None
    ) -> None:
        self._blocks, self._rate, self._longest, self._detector = blocks, sample_rate, longest, detector
        self.seconds = 0.0
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Window]:
        pending: Wave = np.zeros(0, np.float32)
        likely: Likely | None = None if self._detector is None else np.zeros(0)
        size = frame_size(self._rate)
        offset = 0
        for block in self._blocks:
            self.seconds += len(block) / self._rate
            pending = np.concatenate([pending, block])
            likely = self._heard(likely, block)
            spans, used = cut(pending, self._rate, self._longest, likely, final=False)
            for start, stop in spans:
                yield self._window(pending, start, stop, offset)
            pending, offset = pending[used:], offset + used
            likely = None if likely is None else likely[used // size :]
        likely = self._heard(likely, np.zeros(0, np.float32), final=True)
        for start, stop in cut(pending, self._rate, self._longest, likely, final=True)[0]:
            yield self._window(pending, start, stop, offset)

    def _heard(self, before: Likely | None, block: Wave, *, final: bool = False) -> Likely | None:
        if before is None or self._detector is None:
            return None
        return np.concatenate([before, self._detector.feed(block, final=final)])

    def _window(self, wave: Wave, start: int, stop: int, offset: int) -> Window:
        samples = wave[start:stop]
        short = round(SHORTEST_SECONDS * self._rate) - len(samples)
        if short > 0:
            samples = np.pad(samples, (short // 2, short - short // 2))
        return Window(samples, (offset + start) / self._rate, (stop - start) / self._rate)


def open_detector(method: str, sample_rate: int, notify: Callable[[str], None]) -> SpeechDetector | None:
    """What tells speech from anything else in one recording; None for the method `off`.

    Raises:
        ModelError: where the method that was asked for can't be used here.
    """
    try:
        found = open_method(method, notify)
    except ImportError as error:
        raise ModelError("Silero's voice detection can't be used", cause=str(error), try_="--vad energy") from error
    return None if found is None else SpeechDetector(found, sample_rate)


def read_voiced(
    source: Source | AudioClip,
    sample_rate: int,
    longest: float,
    *,
    detector: SpeechDetector | None = None,
    most_seconds: float | None = None,
) -> Voiced:
    """The pieces of a file (or of a clip in memory), none longer than `longest` seconds, in bounded memory.

    Iterating raises InputError where the file can't be read.

    Args:
        detector: what finds speech; without one whatever sounds counts.
        most_seconds: about how much of the recording is looked at; None: all.
    """
    notices: list[str] = []
    blocks = _blocks(source, sample_rate, notices.append)
    if most_seconds is not None:
        blocks = islice(blocks, math.ceil(most_seconds / _BLOCK_SECONDS))
    found = Voiced(blocks, sample_rate, longest, detector)
    found.warnings = notices
    return found


def _blocks(source: Source | AudioClip, sample_rate: int, notify: Callable[[str], None]) -> Iterator[Wave]:
    if isinstance(source, AudioClip):
        from .signal import resample

        wave = resample(source.samples, source.sample_rate, sample_rate)
        size = round(_BLOCK_SECONDS * sample_rate)
        for start in range(0, len(wave), size):
            yield wave[start : start + size]
        return
    for clip in read_windows(source, _BLOCK_SECONDS, sample_rate=sample_rate, notify=notify):
        yield clip.samples


def frame_size(sample_rate: int) -> int:
    """Samples of a frame."""
    return max(1, round(FRAME_SECONDS * sample_rate))


def cut(
    wave: Wave, rate: int, longest: float, likely: Likely | None = None, *, final: bool
) -> tuple[list[tuple[int, int]], int]:
    """The spoken spans [start, stop) of `wave` in samples, and how much of it is dealt with.

    Without `final` more is to come: a span that may go on is left for the next call.

    Args:
        likely: the probability of speech in each frame of 20 ms; None: whatever sounds is taken for speech.
    """
    size = frame_size(rate)
    levels = frame_levels(wave, size)
    if likely is not None and final:
        likely = np.pad(likely, (0, max(0, len(levels) - len(likely))))[: len(levels)]
    elif likely is not None:
        levels = levels[: len(likely)]
        likely = likely[: len(levels)]
    if not len(levels):
        return [], len(wave) if final else 0
    voiced = speech_frames(levels, likely)
    pause, margin = round(PAUSE_SECONDS / FRAME_SECONDS), round(MARGIN_SECONDS / FRAME_SECONDS)
    known = len(levels) if final else len(levels) - (pause if likely is None else round(_GUARD_SECONDS / FRAME_SECONDS))
    spans: list[tuple[int, int]] = []
    done, goes_on = 0, False
    for start, stop in runs(voiced, pause):
        if not final and stop >= known:
            goes_on = True
            done = max(done, start - margin)
            break
        done = stop + margin
        if np.count_nonzero(voiced[start:stop]) * FRAME_SECONDS < CLICK_SECONDS:
            continue
        spans += _split(levels, max(0, start - margin), min(len(levels), stop + margin), longest)
    else:
        done = len(levels) if final else max(done, known - margin)
    if goes_on and len(levels) - done > 2 * longest / FRAME_SECONDS:  # nobody pauses for breath
        forced = _split(levels, max(done, 0), len(levels), longest)[:-1]
        spans += forced
        done = forced[-1][1] if forced else done
    samples = [(start * size, min(stop * size, len(wave))) for start, stop in spans]
    return samples, len(wave) if final else min(max(done, 0) * size, len(wave))


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
