"""Uploads as samples. A process of its own, with little memory and time, decodes them: files may be made to harm."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from typing import Any, BinaryIO

import numpy as np

from vall_e_audio import AudioClip
from vall_e_core import InputError, VallEError

from .errors import HttpError, line

MEMORY_BYTES = 1 << 30
SECONDS = 20
"""Of processor time, and half as much again on the clock."""
_SCRIPT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from vall_e_serve.decoding import child; child(sys.argv[2])"
)
_LENGTH = struct.Struct("<I")


def decode_upload(data: bytes, sample_rate: int, most_seconds: float, *, param: str) -> AudioClip:
    """A recording that somebody sent, as one channel at `sample_rate`.

    Args:
        data: the bytes of a file; its content tells what it is.
        sample_rate: in Hz.
        most_seconds: a longer one is refused.
        param: the field that it came in, for errors.

    Raises:
        HttpError: 400 for what can't be read, 413 for what is too long.
    """
    settings = json.dumps({"rate": sample_rate, "most": most_seconds})
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, json.dumps(sys.path), settings],
            input=data, capture_output=True, timeout=1.5 * SECONDS, check=False, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _unreadable(param) from None
    if done.returncode != 0 or len(done.stdout) < _LENGTH.size:
        raise _unreadable(param)
    (size,) = _LENGTH.unpack_from(done.stdout)
    found: dict[str, Any] = json.loads(done.stdout[_LENGTH.size : _LENGTH.size + size])
    if "error" in found:
        status = 413 if found.get("long") else 400
        raise HttpError(status, str(found["error"]), code="bad_audio", param=param)
    samples = np.frombuffer(done.stdout, np.float32, offset=_LENGTH.size + size).copy()
    return AudioClip(
        samples, sample_rate, "the recording", bool(found["silent"]), int(found["rate"]), int(found["channels"]),
        str(found["format"]), str(found["subtype"]),
    )  # fmt: skip


def _unreadable(param: str) -> HttpError:
    return HttpError(
        400, "the recording can't be decoded within the server's limits; try: WAV, FLAC, Ogg or MP3", code="bad_audio",
        param=param,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    """What the child sees of the environment: no keys."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def child(settings: str) -> None:
    """What the process does: a file from standard input, samples to standard output."""
    _limit()
    wanted = json.loads(settings)
    data = sys.stdin.buffer.read()
    try:
        clip = _decoded(data, int(wanted["rate"]), float(wanted["most"]))
    except VallEError as error:
        _answer(sys.stdout.buffer, {"error": line(error), "long": isinstance(error, _TooLong)}, b"")
        return
    facts = {
        "silent": clip.silent, "rate": clip.original_rate, "channels": clip.original_channels, "format": clip.format,
        "subtype": clip.subtype,
    }  # fmt: skip
    _answer(sys.stdout.buffer, facts, clip.samples.astype("<f4").tobytes())


class _TooLong(InputError):
    """More sound than may be sent."""


def _limit() -> None:
    """Bound what this process may take; where the system knows no such bounds, the parent's clock is all."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _decoded(data: bytes, rate: int, most: float) -> AudioClip:
    """One channel, in bounded memory however much a small file holds. Raises InputError."""
    from vall_e_audio import read_windows

    if needs_av(data):
        data = _as_wav(data, most)
    found: list[AudioClip] = []
    for clip in read_windows(data, 30.0, sample_rate=rate, name="the recording"):
        found.append(clip)
        if sum(each.seconds for each in found) > most:
            raise _TooLong(f"the recording is longer than {most:g} s")
    whole = np.concatenate([each.samples for each in found])
    first = found[0]
    return AudioClip(
        whole, rate, first.source, all(each.silent for each in found), first.original_rate, first.original_channels,
        first.format, first.subtype,
    )  # fmt: skip


def needs_av(data: bytes) -> bool:
    """Whether it is MP4 or WebM, which libsndfile doesn't read."""
    return data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3" or data[:2] in (b"\xff\xf1", b"\xff\xf9")


def _as_wav(data: bytes, most: float) -> bytes:
    """MP4, WebM or AAC as a WAV file, decoded by PyAV."""
    import io

    try:
        import av
    except ImportError as error:
        raise InputError(
            "MP4, WebM and AAC can't be read here", cause="they need PyAV",
            try_="WAV, FLAC, Ogg or MP3, or pip install 'vall-e[media]' on the server",
        ) from error  # fmt: skip
    from vall_e_audio import pcm16_bytes, stream_header

    rate = 48_000
    pieces: list[bytes] = []
    samples = 0
    try:
        with av.open(io.BytesIO(data), "r") as container:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in container.decode(audio=0):
                for made in resampler.resample(frame):
                    pieces.append(pcm16_bytes(made.to_ndarray().reshape(-1)))
                    samples += made.samples
                if samples > (most + 1) * rate:
                    break
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InputError("the recording is damaged", cause=type(error).__name__) from error
    return stream_header(rate, samples) + b"".join(pieces)


def _answer(out: BinaryIO, facts: dict[str, Any], data: bytes) -> None:
    head = json.dumps(facts).encode()
    out.write(_LENGTH.pack(len(head)) + head + data)
    out.flush()
