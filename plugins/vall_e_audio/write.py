"""Writing: WAV, FLAC, OGG, Opus and MP3 by libsndfile, and plain bytes for a pipe."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vall_e_core import InputError, UsageError, VallEError, __version__

from .clip import Samples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Self

FORMATS = {
    "wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
"""Our name (a file's suffix), libsndfile's container, and the encoding that is written unless another is asked for."""
UNKNOWN_SIZE = 0xFFFFFFFF
SYNTHETIC = f"synthetic speech, vall-e {__version__}"
"""What files of speech that we made say about themselves, where their format has a place for it."""
_BLOCK = 1 << 16
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)

Notify = Callable[[str], None]


def _nobody(line: str) -> None:
    """The default of `notify`."""


class AudioWriter:
    """One channel written piece by piece, in constant memory; for `with`.

    Raises VallEError for samples that aren't finite (a model's fault, not the user's), InputError where the file can't
    be written, UsageError for an unknown format. Samples beyond full scale are clipped, which is reported once, at
    the end.
    """

    def __init__(
        self,
        target: str | Path | BinaryIO,
        sample_rate: int,
        *,
        format: str | None = None,
        subtype: str | None = None,
        comment: str = "",
        notify: Notify = _nobody,
    ) -> None:
        """`format` is a key of `FORMATS`; without it a path's suffix chooses, and an open file gets WAV.

        `comment` is what the file says about itself.
        """
        import soundfile

        name = format if format is not None else format_of(target)
        if name not in FORMATS:
            raise UsageError(f"unknown audio format: {name!r}", try_=f"one of {', '.join(FORMATS)}")
        container, usual = FORMATS[name]
        if name == "opus" and sample_rate not in _OPUS_RATES:
            raise UsageError(f"Opus can't hold {sample_rate} Hz", try_="wav, flac or ogg")
        self._label = str(target) if isinstance(target, (str, Path)) else "the output"
        self._notify = notify
        self._clipped = 0
        self.frames = 0
        """Samples written so far."""
        try:
            self._file: Any = soundfile.SoundFile(
                os.fspath(target) if isinstance(target, (str, Path)) else target,
                "w",
                samplerate=sample_rate,
                channels=1,
                format=container,
                subtype=subtype if subtype is not None else usual,
            )
            if comment:
                self._file.comment = comment
        except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
            cause = str(getattr(error, "error_string", error)).strip()
            raise InputError(f"can't write {self._label}", cause=cause) from error

    def write(self, samples: ArrayLike) -> None:
        """Append [N] samples; full scale is ±1."""
        import soundfile

        block = prepared(samples)
        self._clipped += int(np.count_nonzero(np.abs(block) > 1))
        block = np.clip(block, -1, 1)
        try:
            for start in range(0, len(block), _BLOCK):  # libvorbis overflows its stack when given minutes at once
                self._file.write(block[start : start + _BLOCK])
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise InputError(f"can't write {self._label}", cause=str(error)) from error
        self.frames += len(block)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        if self._clipped:
            self._notify(f"{self._label}: {self._clipped} samples beyond full scale were clipped")
            self._clipped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_audio(
    target: str | Path | BinaryIO,
    samples: ArrayLike,
    sample_rate: int,
    *,
    format: str | None = None,
    subtype: str | None = None,
    comment: str = "",
    notify: Notify = _nobody,
) -> None:
    """Write [N] samples whole, to a path or an open seekable file. Arguments and errors are `AudioWriter`'s.

    A path is written in place: who needs it to appear whole or not at all writes to a temporary file and renames.
    """
    block = prepared(samples)
    with AudioWriter(
        target, sample_rate, format=format, subtype=subtype, comment=comment, notify=notify
    ) as writer:  # fmt: skip
        writer.write(block)


def encoded(
    samples: ArrayLike, sample_rate: int, *, format: str = "wav", comment: str = "", notify: Notify = _nobody
) -> bytes:
    """A whole file as bytes, its sizes known: what goes to standard output when nothing is streamed."""
    buffer = io.BytesIO()
    write_audio(buffer, samples, sample_rate, format=format, comment=comment, notify=notify)
    return buffer.getvalue()


def stream_header(sample_rate: int, frames: int | None = None, *, behind: int = 0) -> bytes:
    """A 44-byte WAV header for one channel of 16-bit PCM.

    `frames` None: the length isn't known yet, as when streaming to a pipe; both sizes are then 0xFFFFFFFF, which
    readers take as "until the end". `behind`: bytes of chunks behind the samples.
    """
    size = UNKNOWN_SIZE if frames is None or 2 * frames + 36 + behind > UNKNOWN_SIZE else 2 * frames
    total = UNKNOWN_SIZE if size == UNKNOWN_SIZE else size + 36 + behind
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", total, b"WAVE") + form + struct.pack("<4sI", b"data", size)


def wav_comment(text: str) -> bytes:
    """A chunk that holds a comment, for the end of a WAV file: in front of the samples it would move them.

    Many a program takes it that they begin at byte 44.
    """
    data = text.encode("ascii", "replace") + b"\0"
    data += b"\0" * (len(data) % 2)
    return struct.pack("<4sI4s4sI", b"LIST", 12 + len(data), b"INFO", b"ICMT", len(data)) + data


def wav_around(sample_rate: int, frames: int, comment: str = "") -> tuple[bytes, bytes]:
    """What stands in a WAV file in front of `frames` samples of 16-bit PCM, and behind them.

    A file beyond 4 GiB has no comment: its header can't tell where the samples end, and readers would play it.
    """
    behind = wav_comment(comment) if comment else b""
    if 2 * frames + 36 + len(behind) > UNKNOWN_SIZE:
        behind = b""
    return stream_header(sample_rate, frames, behind=len(behind)), behind


def pcm16_bytes(samples: ArrayLike) -> bytes:
    """[N] samples as little-endian 16-bit PCM, clipped at full scale. Raises VallEError where they aren't finite."""
    return np.round(np.clip(prepared(samples), -1, 1) * 32767).astype("<i2").tobytes()


def prepared(samples: ArrayLike) -> Samples:
    """float32 [N]. Raises VallEError for NaN or infinity: as PCM that would be a full-scale click."""
    block = np.asarray(samples, dtype=np.float32)
    if block.ndim != 1:
        raise ValueError(f"expected one channel [N], found {list(block.shape)}")
    if not np.isfinite(block).all():
        raise VallEError("the audio to be written holds NaN or infinity", cause="the model or the codec went wrong")
    return block


def format_of(target: str | Path | BinaryIO) -> str:
    """The format that a path's suffix names; WAV for an open file. Raises UsageError that lists the known ones."""
    if not isinstance(target, (str, Path)):
        return "wav"
    suffix = Path(target).suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise UsageError(
            f"{target}: unknown audio format {'.' + suffix if suffix else '(no suffix)'}",
            try_=f"one of {', '.join('.' + name for name in FORMATS)}",
        )
    return suffix
