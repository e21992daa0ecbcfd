"""Reading: from a path or from bytes to one channel of float32 at the wanted rate, checked.

Nothing is allocated by what a header says: blocks are read until there are no more, or enough.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vall_e_core import InputError

from . import signal
from .clip import AudioClip, Samples
from .header import Container, conversion, identify
from .patched import Patched

MINIMUM_SECONDS = 0.5
MAXIMUM_SECONDS = 30.0
SAMPLE_RATE = 24_000
LARGEST_INPUT = 1 << 30
"""Bytes taken from a pipe at most."""

_SUBTYPES = frozenset(
    {
        "PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW",
        "VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III",
    }
)  # fmt: skip
_BLOCK_SAMPLES = 1 << 18
_SALVAGED_FRAMES = 512
_MOST_CHANNELS = 64
_RATES = (1_000, 768_000)
_LOW_RATE = 16_000

Source = str | Path | bytes | BinaryIO
Notify = Callable[[str], None]


def _nobody(line: str) -> None:
    """The default of `notify`."""


def read_audio(
    source: Source,
    *,
    sample_rate: int = SAMPLE_RATE,
    min_seconds: float = MINIMUM_SECONDS,
    max_seconds: float | None = MAXIMUM_SECONDS,
    start_seconds: float = 0.0,
    allow_silence: bool = False,
    name: str | None = None,
    notify: Notify = _nobody,
) -> AudioClip:
    """One channel at `sample_rate`, from a path, bytes, or an open binary file such as standard input.

    Args:
        min_seconds: shorter audio is refused.
        max_seconds: no more is read; None reads all.
        start_seconds: what comes before is left out.
        allow_silence: give a silent clip (`clip.silent`) instead of refusing it.
        name: what messages call it; the path by default.
        notify: takes warnings, one line each.

    Raises InputError.
    """
    label = name if name is not None else _label(source)
    with _opened(source, label) as (file, container):
        parts: list[Samples] = []
        limit = None if max_seconds is None else max(1, round(max_seconds * file.samplerate))
        frames = 0
        if start_seconds > 0:
            _skip(file, round(start_seconds * file.samplerate), label)
        for block in _blocks(file, label, limit):
            parts.append(block)
            frames += len(block)
        more = limit is not None and frames >= limit and len(_read(file, 1, label)) > 0
        seconds = frames / file.samplerate
        _report(file, container, label, frames, more, notify)
        if frames == 0:
            raise InputError(f"{label} holds no audio", cause="it has a header, but no samples")
        if seconds < min_seconds:
            needed = f"at least {min_seconds:g} s are needed"
            raise InputError(f"{label} is too short: {seconds:.2f} s", cause=needed, try_="3-10 s of speech")
        if more:
            notify(f"{label}: only its first {max_seconds:g} s are used")
        channels = np.concatenate(parts)
        signal.check_finite(channels, label)
        mono = signal.tame(signal.mix_down(channels, label, notify), label, notify)
        peak = signal.peak_dbfs(mono)
        silent = peak < signal.SILENCE_DBFS
        if silent and not allow_silence:
            level = "no signal at all" if peak == float("-inf") else f"peak {peak:.0f} dBFS"
            raise InputError(
                f"{label} is silent ({level})", cause="nothing can be heard in it", try_="another recording of 3-10 s"
            )
        samples = signal.resample(mono, file.samplerate, sample_rate)
        return AudioClip(
            samples, sample_rate, label, silent, file.samplerate, file.channels, container.kind, str(file.subtype)
        )


def read_windows(
    source: Source,
    window_seconds: float,
    *,
    sample_rate: int = SAMPLE_RATE,
    name: str | None = None,
    notify: Notify = _nobody,
) -> Iterator[AudioClip]:
    """A file of any length in consecutive clips of `window_seconds` (the last one shorter), in bounded memory.

    Silent windows come out with `silent` set. Raises InputError, also in the middle.
    """
    import soxr

    label = name if name is not None else _label(source)
    with _opened(source, label) as (file, container):
        rate = int(file.samplerate)
        resampler = None
        if rate != sample_rate:
            resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
        size = max(1, round(window_seconds * sample_rate))
        pending: Samples = np.zeros(0, np.float32)
        told: set[str] = set()

        def once(line: str) -> None:
            if line not in told:
                told.add(line)
                notify(line)

        def clip(samples: Samples) -> AudioClip:
            samples = signal.tame(samples, label, once)
            silent = signal.peak_dbfs(samples) < signal.SILENCE_DBFS
            return AudioClip(
                samples, sample_rate, label, silent, rate, file.channels, container.kind, str(file.subtype)
            )

        frames = 0
        for block in _blocks(file, label, None):
            frames += len(block)
            signal.check_finite(block, label)
            mono = signal.mix_down(block, label, once)
            fresh = mono if resampler is None else np.asarray(resampler.resample_chunk(mono), np.float32)
            pending = np.concatenate([pending, fresh])
            while len(pending) >= size:
                yield clip(pending[:size].copy())
                pending = pending[size:]
        if resampler is not None:
            pending = np.concatenate([pending, resampler.resample_chunk(np.zeros(0, np.float32), last=True)])
        _report(file, container, label, frames, False, notify)
        if frames == 0:
            raise InputError(f"{label} holds no audio", cause="it has a header, but no samples")
        while len(pending):
            yield clip(pending[:size].copy())
            pending = pending[size:]


def check_audio(source: Source) -> None:
    """Read a recording's header alone.

    Raises:
        InputError: it isn't audio that can be read.
    """
    with _opened(source, _label(source)):
        pass


@contextmanager
def _opened(source: Source, label: str) -> Iterator[tuple[Any, Container]]:
    """A soundfile.SoundFile of a trusted container and encoding. Raises InputError."""
    import soundfile

    with _binary(source, label) as raw:
        raw.seek(0, os.SEEK_END)
        size = raw.tell()
        container = identify(raw, size, label)
        try:
            file = soundfile.SoundFile(Patched(raw, size, container.patches))
        except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, OverflowError) as error:
            cause = str(getattr(error, "error_string", error)).strip() or "the decoder refused it"
            raise InputError(f"not a readable {container.kind.upper()} file: {label}", cause=cause) from error
        with file:
            if file.subtype not in _SUBTYPES:
                raise InputError(f"unsupported encoding in {label}: {file.subtype}", try_=conversion(label))
            if not 1 <= file.channels <= _MOST_CHANNELS or not _RATES[0] <= file.samplerate <= _RATES[1]:
                raise InputError(
                    f"{label} claims {file.channels} channels at {file.samplerate} Hz", cause="its header is damaged"
                )
            yield file, container


@contextmanager
def _binary(source: Source, label: str) -> Iterator[BinaryIO]:
    """A seekable binary file. Paths are checked before they are opened: a FIFO would wait for ever."""
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    if not isinstance(source, (str, Path)):
        yield source if source.seekable() else io.BytesIO(drain(source, label))
        return
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{label} is a folder, not an audio file")
        if not stat.S_ISREG(mode):
            raise InputError(f"{label} is not a regular file", try_="- to read from standard input")
        file = open(source, "rb")  # noqa: SIM115 - closed below; only opening belongs under this try
    except FileNotFoundError as error:
        raise InputError(f"no such audio file: {label}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't open {label}", cause=reason) from error
    with file:
        yield file


def drain(stream: BinaryIO, label: str) -> bytes:
    """All that is left in a stream. Raises InputError for more than can be held."""
    data = stream.read(LARGEST_INPUT + 1)
    if len(data) > LARGEST_INPUT:
        raise InputError(f"{label} is larger than {LARGEST_INPUT >> 20} MiB", try_="write it to a file first")
    return data


def _skip(file: Any, frames: int, label: str) -> None:  # noqa: ANN401 - soundfile is untyped
    """Go on to a place: by reading, which finds it in any format."""
    while frames > 0 and (block := _read(file, min(frames, _BLOCK_SAMPLES), label)).size:
        frames -= len(block)


def _blocks(file: Any, label: str, limit: int | None) -> Iterator[Samples]:  # noqa: ANN401 - soundfile is untyped
    """[n, C] until the end, or `limit` frames; of a damaged file what there is before the damage, if anything."""
    size = max(1, _BLOCK_SAMPLES // file.channels)
    done = 0
    while limit is None or done < limit:
        wanted = size if limit is None else min(size, limit - done)
        damaged = False
        try:
            block = _read(file, wanted, label)
        except InputError:
            damaged, block = True, _salvaged(file, done, wanted, label)
            if done + len(block) == 0:
                raise
        if len(block):
            yield block
        if damaged or len(block) == 0:
            return
        done += len(block)


def _salvaged(file: Any, start: int, most: int, label: str) -> Samples:  # noqa: ANN401 - soundfile is untyped
    """Up to `most` frames [n, C] from `start` on, in pieces so small that hardly anything before the damage is lost."""
    found: list[Samples] = []
    count = 0
    with suppress(InputError, RuntimeError):
        file.seek(start)
        while count < most:
            found.append(_read(file, min(_SALVAGED_FRAMES, most - count), label))
            count += len(found[-1])
            if len(found[-1]) == 0:
                break
    return np.concatenate(found) if found else np.zeros((0, file.channels), np.float32)


def _read(file: Any, frames: int, label: str) -> Samples:  # noqa: ANN401 - soundfile is untyped
    import soundfile

    try:
        block: Samples = file.read(frames, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        cause = str(getattr(error, "error_string", error)).strip()
        raise InputError(f"{label} is damaged", cause=cause or None) from error
    return block


def _report(file: Any, container: Container, label: str, frames: int, more: bool, notify: Notify) -> None:  # noqa: ANN401 - soundfile's, which is untyped
    seconds = frames / file.samplerate
    if container.patches:
        says = f"says that it holds {container.promised} bytes"
        notify(f"{label} is longer than its header says: it {says}; the {seconds:.1f} s that are there are read")
    elif not container.ended and not more:
        notify(f"{label} is cut off, or was never finished: {seconds:.1f} s are there")
    elif container.truncated and not more:
        notify(f"{label} is cut off: its header promises more than the {seconds:.1f} s that are there")
    elif container.wrapped:
        notify(f"{label} is longer than its header can say; what the header counts is read")
    elif container.kind in ("flac", "mp3") and not more and 0 < frames < file.frames:
        notify(f"{label} is cut off: {seconds:.1f} s of {file.frames / file.samplerate:.1f} s are there")
    if file.samplerate < _LOW_RATE:
        notify(f"{label} has a sample rate of {file.samplerate} Hz; from {_LOW_RATE // 1000} kHz it sounds better")


def _label(source: Source) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    name = getattr(source, "name", None)
    if name == "<stdin>":
        return "standard input"
    return name if isinstance(name, str) and name else "the recording"
