"""A recording as a program may hand it over, and the speech in it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vall_e_core import InputError, UsageError

from . import MINIMUM_SECONDS, AudioClip, read_audio
from .arrays import as_wav, is_samples
from .read import SAMPLE_RATE, drain
from .vad import Wave, cut, open_detector, read_voiced

#: A path, bytes of a file, an open binary file, samples (an array or a tensor), a pair of these and their rate, a clip.
Recording = Any
#: What a recording becomes: what can be read more than once, or a clip.
Readable = Path | bytes | AudioClip
#: Silence at an end that is longer than this is left out.
EDGE_SECONDS = 0.3
#: Speech that begins later than this in a reference isn't looked for.
SEARCH_SECONDS = 600.0
_FROM_16_KHZ = 16_000


def is_recording(value: object) -> bool:
    """Whether `value` is one recording, rather than several."""
    single = isinstance(value, str | Path | bytes | bytearray | memoryview | AudioClip) or hasattr(value, "read")
    return single or is_samples(value) or _pair(value) is not None


def recordings(value: Any, sample_rate: int | None = None) -> tuple[Readable, ...]:  # noqa: ANN401 - `Recording`s
    """One recording, several or none, each as something to read."""
    if value is None:
        return ()
    several = isinstance(value, Iterable) and not isinstance(value, Mapping) and not is_recording(value)
    found = list(value) if several else [value]
    return tuple(readable(each, sample_rate) for each in found)


def readable(recording: Recording, sample_rate: int | None = None) -> Readable:
    """What can be read as often as it has to be.

    Args:
        recording: a path, bytes, an open binary file (read to its end), an array or a tensor, a pair (samples, rate),
            or (rate, samples) as scipy reads them.
        sample_rate: of an array or a tensor, in Hz.

    Raises:
        InputError: for an open file that can't be read.
        UsageError: for samples without a rate or with two, or of a shape that no audio has.
        TypeError: for anything else.
    """
    if isinstance(recording, AudioClip):
        return recording
    if isinstance(recording, str | Path):
        return Path(recording).expanduser()
    if isinstance(recording, bytes | bytearray | memoryview):
        return bytes(recording)
    if hasattr(recording, "read"):
        return _read_whole(recording)
    pair = _pair(recording)
    if pair is not None:
        samples, rate = pair
        if sample_rate is not None and sample_rate != rate:
            raise UsageError(f"the recording has two sample rates: {rate} and sample_rate={sample_rate}")
        return as_wav(samples, rate, "the recording")
    if is_samples(recording):
        return as_wav(recording, sample_rate, "the recording")
    raise TypeError(
        f"a recording can't be a {type(recording).__name__}: give a path, bytes, an open binary file, an array with "
        "sample_rate=, or a pair (samples, rate)"
    )


def _pair(value: object) -> tuple[Any, Any] | None:
    """Samples and their rate, where it is a pair of these in either order."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    samples, rate = reversed(value) if isinstance(value[0], int | np.integer) else value
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer):
        return None
    return (samples, rate) if is_samples(samples) or isinstance(samples, Sequence) else None


def _read_whole(file: BinaryIO) -> bytes:
    if isinstance(file, io.TextIOBase):
        raise TypeError("the recording's file is open for text: open it with mode 'rb'")
    data = drain(file, str(getattr(file, "name", "the recording")))
    if not data and file.seekable() and file.tell() > 0:
        raise InputError(
            "nothing is left to read of the recording's file", cause="it stands at its end", try_="file.seek(0) before"
        )
    return data


@dataclass(frozen=True, eq=False)
class Spoken:
    """A recording as far as it is used: a clip, and where in it somebody speaks, in seconds.

    `skipped` seconds of the recording lie before the clip.
    """

    clip: AudioClip
    start: float
    stop: float
    skipped: float = 0.0

    def span(self, sample_rate: int, length: int) -> tuple[int, int]:
        """Where the speech lies in the same clip at another rate, `length` samples long."""
        return min(length, round(self.start * sample_rate)), min(length, round(self.stop * sample_rate))


def read_reference(
    recording: Readable, *, sample_rate: int = SAMPLE_RATE, max_seconds: float = 30.0, trim: bool = True,
    known: bool = False, notify: Callable[[str], None],
) -> Spoken:  # fmt: skip
    """The first `max_seconds` of a recording from where somebody begins to speak, and where the speech in it ends.

    Args:
        recording: a file, the bytes of one, or a clip.
        sample_rate: of the clip.
        trim: False: the recording from its start, and all of it counts as speech.
        known: True: it is known to be speech, so loudness alone tells where that is; detection takes a quarter of a
            second.
        notify: takes warnings.

    Raises:
        InputError: for a recording that can't be read, is silent, or in which nobody speaks.
    """
    clip = _first(recording, sample_rate, max_seconds, notify, allow_silence=trim)
    if not trim:
        return Spoken(clip, 0.0, clip.seconds)
    found = _speech_in(clip, known)
    skipped = 0.0
    if found is None and clip.seconds >= 0.999 * max_seconds:
        skipped = _first_word(recording)
        if skipped:
            clip = read_again(recording, sample_rate, max_seconds, skipped)
            found = _speech_in(clip, known)
    if found is None and clip.silent:
        raise InputError(f"{clip.source} is silent", cause="nothing can be heard in it", try_="3-10 s of speech")
    if found is None:
        raise InputError(
            f"no speech was found in {clip.source}", cause="what can be heard sounds like noise or music",
            try_="a recording of 3-10 s of speech; --keep-silence (keep_silence=True) uses this one as it is",
        )  # fmt: skip
    if skipped:
        notify(f"{clip.source}: its first {skipped:.1f} s, without speech, are left out")
    return Spoken(clip, found[0] / sample_rate, found[1] / sample_rate, skipped)


def read_again(recording: Readable, sample_rate: int, max_seconds: float, skipped: float) -> AudioClip:
    """The clip of `Spoken` at another rate, from the recording itself rather than from samples resampled once."""
    return _first(recording, sample_rate, max_seconds, _nobody, start_seconds=skipped, allow_silence=True)


def _first(
    recording: Readable, sample_rate: int, max_seconds: float, notify: Callable[[str], None], *,
    start_seconds: float = 0.0, allow_silence: bool,
) -> AudioClip:  # fmt: skip
    if not isinstance(recording, AudioClip):
        return read_audio(
            recording, sample_rate=sample_rate, max_seconds=max_seconds, start_seconds=start_seconds,
            allow_silence=allow_silence, notify=notify,
        )  # fmt: skip
    from .signal import resample

    if recording.silent and not allow_silence:
        raise InputError(f"the recording {recording.source} is silent")
    first = round(start_seconds * recording.sample_rate)
    samples = recording.samples[first : first + round(max_seconds * recording.sample_rate)]
    found = replace(
        recording, samples=resample(samples, recording.sample_rate, sample_rate), sample_rate=sample_rate
    )
    if found.seconds < MINIMUM_SECONDS:
        raise InputError(f"{found.source} is too short: {found.seconds:.2f} s", try_="3-10 s of speech")
    return found


def _first_word(recording: Readable) -> float:
    """When somebody begins to speak, in seconds; 0 where nobody does."""
    detector = open_detector("auto", _FROM_16_KHZ, _nobody)
    voiced = read_voiced(recording, _FROM_16_KHZ, 30.0, detector=detector, most_seconds=SEARCH_SECONDS)
    return next((max(0.0, each.start) for each in voiced), 0.0)


def _speech_in(clip: AudioClip, known: bool) -> tuple[int, int] | None:
    return None if clip.silent else sounding(clip.samples, clip.sample_rate, known=known)


def sounding(wave: Wave, rate: int, *, known: bool = False) -> tuple[int, int] | None:
    """Where the speech in `wave` [n] begins and ends, in samples; None where nobody speaks.

    A short silence at an end belongs to it. How loud the recording is doesn't matter, and a click in the silence isn't
    speech. Where it is `known` that somebody speaks, loudness alone is looked at.
    """
    loud = wave / max(float(np.abs(wave).max(initial=0.0)), 1e-6)
    detector = open_detector("energy" if known else "auto", rate, _nobody)
    likely = None if detector is None else detector.feed(loud.astype(np.float32), final=True)
    spans, _ = cut(loud, rate, len(wave) / rate + 1, likely, final=True)
    if not spans:
        return None
    edge = round(EDGE_SECONDS * rate)
    start, stop = spans[0][0], spans[-1][1]
    return start if start > edge else 0, stop if len(wave) - stop > edge else len(wave)


def sha256_of(recording: Readable) -> str | None:
    """Of the bytes of a file; None for a clip."""
    from vall_e_files import sha256_file

    if isinstance(recording, AudioClip):
        return None
    return hashlib.sha256(recording).hexdigest() if isinstance(recording, bytes) else sha256_file(recording)


def _nobody(line: str) -> None:
    """Nobody listens."""
