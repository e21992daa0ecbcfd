"""A stream of speech written while it is made: to a file that appears whole or not at all, or through a pipe."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vall_e_audio import AudioWriter, Wave, encode_wave, pcm16_bytes, prepared, stream_header
from vall_e_files import OutputTarget, json_bytes, open_output, sha256_file, with_output, write_stdout

if TYPE_CHECKING:
    from .stream import SpeechStream

COPY = 1 << 20
"""Bytes copied at a time."""


def write_speech(stream: SpeechStream, target: OutputTarget, *, sidecar: bool = True) -> dict[str, Any]:
    """Make all of `stream` and write it to a checked target, with the record beside it; returns the record, which has
    the output's facts in it. What is written isn't kept.

    Through standard output WAV and raw samples go while they are made (the WAV then says that its length is unknown),
    unless the speech comes in one piece anyway. Raises what the stream raises, and InputError where nothing can be
    written; a file then doesn't appear.
    """
    if target.path is None:
        digest = hashlib.sha256()
        samples = _through_pipe(stream, target, digest.update)
        return with_output(stream.record, target, stream.sample_rate, samples, digest.hexdigest())
    waves = _Counted(stream)
    with open_output(target.path, overwrite=target.overwrite) as out:
        _write(out.file, waves, stream.sample_rate, target.format)
        out.finish()
        record = with_output(stream.record, target, stream.sample_rate, waves.samples, sha256_file(out.written))
        out.commit(target.sidecar if sidecar else None, json_bytes(record))
    return record


class _Counted(Iterator[Wave]):
    """The waves of a stream, and how many samples have gone by."""

    def __init__(self, waves: Iterable[Wave]) -> None:
        self._waves = iter(waves)
        self.samples = 0

    def __next__(self) -> Wave:
        wave = next(self._waves)
        self.samples += len(wave)
        return wave


def _through_pipe(stream: SpeechStream, target: OutputTarget, note: Callable[[bytes], object]) -> int:
    """To standard output, noting every byte -> samples written."""
    waves, format = _Counted(stream), target.format

    def send(data: bytes) -> None:
        note(data)
        write_stdout(data, target.stream)

    streams = format in ("wav", "pcm_s16le", "pcm_f32le")
    if streams and not stream.early and stream.known_parts == 1:
        send(encode_wave(np.concatenate(list(waves)), stream.sample_rate, format))
    elif streams:
        for index, wave in enumerate(waves):
            if index == 0 and format == "wav":
                send(stream_header(stream.sample_rate))
            send(_samples(wave, format))
    else:
        with tempfile.TemporaryFile() as file:
            _write(file, waves, stream.sample_rate, format)
            file.seek(0)
            while block := file.read(COPY):
                send(block)
    return waves.samples


def _write(file: BinaryIO, waves: _Counted, sample_rate: int, format: str) -> None:
    """To a file that can go back to its beginning."""
    if format in ("wav", "pcm_s16le", "pcm_f32le"):
        header = len(stream_header(sample_rate)) if format == "wav" else 0
        file.write(bytes(header))
        for wave in waves:
            file.write(_samples(wave, format))
        if header:
            file.seek(0)
            file.write(stream_header(sample_rate, waves.samples))
        return
    with AudioWriter(file, sample_rate, format=format) as writer:
        for wave in waves:
            writer.write(wave)


def _samples(wave: Wave, format: str) -> bytes:
    return prepared(wave).astype("<f4").tobytes() if format == "pcm_f32le" else pcm16_bytes(wave)
