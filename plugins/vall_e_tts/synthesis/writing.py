"""Speech written while it is made: to a file that appears whole or not at all, or through standard output."""

from __future__ import annotations

import hashlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from vall_e_audio import SYNTHETIC, AudioWriter, Wave, encode_wave, pcm16_bytes, prepared, stream_header, wav_around
from vall_e_files import OutputTarget, json_bytes, open_output, sha256_file, with_output, write_stdout

if TYPE_CHECKING:
    from vall_e_files import Output

    from .stream import SpeechStream

COPY = 1 << 20
"""Bytes copied at a time."""
PLAIN = ("wav", "pcm_s16le", "pcm_f32le")
"""Formats whose samples can be written as they come."""


def write_speech(stream: SpeechStream, target: OutputTarget, *, sidecar: bool = True) -> dict[str, Any]:
    """Make all of `stream` and write it to a checked target, with the record beside it. What is written isn't kept.

    Returns:
        The record, with facts about the file added.

    Raises:
        InputError: where nothing can be written; a file then doesn't appear. And whatever the stream raises.
    """
    with open_speech(target, stream.sample_rate, at_once=stream.at_once) as out:
        for wave in stream:
            out.write(wave)
        return out.finish(stream.record, sidecar=sidecar)


@contextmanager
def open_speech(target: OutputTarget, sample_rate: int, *, at_once: bool = False) -> Iterator[SpeechWriter]:
    """What takes waves, for `with`; a file appears when it is finished, and only then.

    Args:
        target: a checked place.
        sample_rate: in Hz.
        at_once: the speech comes in one piece. Then a WAV on standard output says how long it is; else WAV and raw
            samples go there while they are made, and the WAV says that its length is unknown.

    Raises:
        InputError: where it can't be written. UsageError: where a file has appeared meanwhile.
    """
    if target.path is not None:
        with (
            open_output(target.path, overwrite=target.overwrite) as out,
            closing(_ToFile(target, sample_rate, out)) as writer,
        ):
            yield writer
    elif target.format not in PLAIN:
        with (
            tempfile.TemporaryFile() as file,
            closing(_ThroughFile(target, sample_rate, cast(BinaryIO, file))) as through,
        ):
            yield through
    elif at_once:
        yield _AtOnce(target, sample_rate)
    else:
        yield _AsItComes(target, sample_rate)


class SpeechWriter(ABC):
    """Takes waves [samples] in order, then the record."""

    def __init__(self, target: OutputTarget, sample_rate: int) -> None:
        self.target, self.sample_rate = target, sample_rate
        self.samples = 0
        """How many have been taken."""
        self._hash = hashlib.sha256()

    def write(self, wave: Wave) -> None:
        """Take some samples."""
        self.samples += len(wave)
        self._take(wave)

    def finish(self, record: Mapping[str, Any], *, sidecar: bool = True) -> dict[str, Any]:
        """All has been taken: make it appear. Returns the record with facts about the file added."""
        self._end()
        return with_output(record, self.target, self.sample_rate, self.samples, self._hash.hexdigest())

    def _send(self, data: bytes) -> None:
        """To standard output."""
        self._hash.update(data)
        write_stdout(data, self.target.stream)

    @abstractmethod
    def _take(self, wave: Wave) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """Nothing more comes."""


class _AsItComes(SpeechWriter):
    """Through standard output, while it is made."""

    def _take(self, wave: Wave) -> None:
        if self.samples == len(wave) and self.target.format == "wav":
            self._send(stream_header(self.sample_rate))
        self._send(_bytes(wave, self.target.format))

    def _end(self) -> None:
        """Everything has been sent."""


class _AtOnce(SpeechWriter):
    """Through standard output, whole."""

    def __init__(self, target: OutputTarget, sample_rate: int) -> None:
        super().__init__(target, sample_rate)
        self._waves: list[Wave] = []

    def _take(self, wave: Wave) -> None:
        self._waves.append(wave)

    def _end(self) -> None:
        self._send(encode_wave(np.concatenate(self._waves), self.sample_rate, self.target.format))


class _Encoded(SpeechWriter):
    """Into a file that can go back to its beginning."""

    def __init__(self, target: OutputTarget, sample_rate: int, file: BinaryIO) -> None:
        super().__init__(target, sample_rate)
        self._file = file
        self._header = len(stream_header(sample_rate)) if target.format == "wav" else 0
        self._encoder: AudioWriter | None = None
        if target.format in PLAIN:
            file.write(bytes(self._header))
        else:
            self._encoder = AudioWriter(file, sample_rate, format=target.format, comment=SYNTHETIC)

    def close(self) -> None:
        """The encoder writes what it holds back, and takes no more."""
        if self._encoder is not None:
            self._encoder.close()

    def _take(self, wave: Wave) -> None:
        if self._encoder is None:
            self._file.write(_bytes(wave, self.target.format))
        else:
            self._encoder.write(wave)

    def _end(self) -> None:
        self.close()
        if self._header:
            before, behind = wav_around(self.sample_rate, self.samples, SYNTHETIC)
            self._file.write(behind)
            self._file.seek(0)
            self._file.write(before)


class _ThroughFile(_Encoded):
    """Through standard output, once the format's encoder has seen all of it."""

    def _end(self) -> None:
        super()._end()
        self._file.seek(0)
        while block := self._file.read(COPY):
            self._send(block)


class _ToFile(_Encoded):
    """To a file, with the record beside it."""

    def __init__(self, target: OutputTarget, sample_rate: int, out: Output) -> None:
        super().__init__(target, sample_rate, out.file)
        self._out = out

    def finish(self, record: Mapping[str, Any], *, sidecar: bool = True) -> dict[str, Any]:
        """Both files appear, or neither."""
        self._end()
        self._out.finish()
        digest = sha256_file(self._out.written)
        found = with_output(record, self.target, self.sample_rate, self.samples, digest)
        self._out.commit(self.target.sidecar if sidecar else None, json_bytes(found))
        return found


def _bytes(wave: Wave, format: str) -> bytes:
    return prepared(wave).astype("<f4").tobytes() if format == "pcm_f32le" else pcm16_bytes(wave)
