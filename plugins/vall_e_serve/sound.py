"""Speech as bytes of the formats that clients ask for, whole or while it is made."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from vall_e_audio import SYNTHETIC, Wave, encode_wave, pcm16_bytes, prepared, resample, stream_header

from .errors import HttpError
from .ogg import Renumbered

TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg; codecs=opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
"""What may be asked for, and its media type."""
PCM_RATE = 24_000
"""Samples a second of pcm, as OpenAI's clients take it, unless they ask for another rate."""
_RATES = {
    "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    "aac": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
}
_CONTAINERS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}
_PAGE_LATENCY = 0x1302
"""libsndfile's command for how much sound a page of Ogg holds at most, in milliseconds."""
_PAGE_MS = 40.0
_MP3_LEVEL = 0.5
_AAC_BITS = 64_000


def rate_of(format: str, wanted: int | None, codec_rate: int) -> int:
    """The sample rate of a response.

    Raises:
        HttpError: for one that the format can't hold, or a format that can't be written here.
    """
    if format == "aac" and not can_aac():
        raise HttpError(
            400, "aac can't be written here: it needs PyAV; try: mp3, or pip install 'vall-e[media]' on the server",
            code="unsupported_format", param="response_format",
        )  # fmt: skip
    if wanted is None:
        if format == "pcm":
            return PCM_RATE
        near = _RATES.get(format, (codec_rate,))
        return min((each for each in near if each >= codec_rate), default=near[-1])
    if wanted not in _RATES.get(format, (wanted,)):
        rates = ", ".join(map(str, _RATES[format]))
        raise HttpError(400, f"{format} can't hold {wanted} Hz; try: {rates}", code="bad_request", param="sample_rate")
    return wanted


def can_aac() -> bool:
    """Whether PyAV is installed."""
    from importlib.util import find_spec

    return find_spec("av") is not None


class Encoder(ABC):
    """Takes waves at the codec's rate, gives bytes of a format; `finish` gives the last ones."""

    def __init__(self, codec_rate: int, rate: int) -> None:
        self.rate = rate
        self._resampler: Any = None
        if rate != codec_rate:
            import soxr

            self._resampler = soxr.ResampleStream(codec_rate, rate, 1, dtype="float32", quality="HQ")

    def write(self, waves: list[Wave]) -> bytes:
        """The bytes that some more waves make."""
        return self._encode(self._resampled(np.concatenate(waves), last=False)) if waves else b""

    def finish(self) -> bytes:
        """The bytes that end it."""
        rest = self._resampled(np.zeros(0, np.float32), last=True)
        return (self._encode(rest) if len(rest) else b"") + self._end()

    def _resampled(self, wave: Wave, *, last: bool) -> Wave:
        if self._resampler is None:
            return wave
        found: Wave = np.asarray(self._resampler.resample_chunk(prepared(wave), last=last), np.float32)
        return found

    @abstractmethod
    def _encode(self, wave: Wave) -> bytes: ...

    def _end(self) -> bytes:
        return b""


class _Plain(Encoder):
    """Samples as they are, behind a header that doesn't know how many there will be."""

    def __init__(self, codec_rate: int, rate: int, *, header: bool) -> None:
        super().__init__(codec_rate, rate)
        self._header = header

    def _encode(self, wave: Wave) -> bytes:
        lead = stream_header(self.rate) if self._header else b""
        self._header = False
        return lead + pcm16_bytes(wave)


class _Sink:
    """What an encoder writes to: new bytes are handed on, what would change old ones is dropped."""

    def __init__(self) -> None:
        self._fresh = bytearray()
        self._at = self._end = 0

    def take(self) -> bytes:
        """The bytes since the last time."""
        found = bytes(self._fresh)
        self._fresh.clear()
        return found

    def write(self, data: bytes) -> int:
        """Bytes at the current place."""
        view = bytes(data)
        new = view[max(0, self._end - self._at) :]
        self._fresh += new
        self._at += len(view)
        self._end = max(self._end, self._at)
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """The current place."""
        return self._at

    def flush(self) -> None:
        """Nothing is held back."""

    def read(self, size: int = -1) -> bytes:
        """Nothing can be read back."""
        return b""


class _Encoded(Encoder):
    """MP3, Opus in Ogg, and FLAC by libsndfile."""

    def __init__(self, format: str, codec_rate: int, rate: int) -> None:
        import soundfile

        super().__init__(codec_rate, rate)
        self._sink = _Sink()
        container, subtype = _CONTAINERS[format]
        more: dict[str, Any] = {}
        if format == "mp3":  # at a variable rate players guess the length of a stream wrong
            more = {"bitrate_mode": "CONSTANT", "compression_level": _MP3_LEVEL}
        self._file: Any = soundfile.SoundFile(
            self._sink, "w", samplerate=rate, channels=1, format=container, subtype=subtype, **more
        )
        self._file.comment = SYNTHETIC
        self._pages = Renumbered() if format == "opus" else None
        if format == "opus":  # a page may otherwise hold a whole second back
            library, ffi = soundfile._snd, soundfile._ffi
            library.sf_command(self._file._file, _PAGE_LATENCY, ffi.new("double*", _PAGE_MS), ffi.sizeof("double"))

    def _encode(self, wave: Wave) -> bytes:
        self._file.write(np.clip(prepared(wave), -1, 1))
        self._file.flush()
        return self._taken()

    def _end(self) -> bytes:
        self._file.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.take()
        return data if self._pages is None else self._pages.write(data)


class _Aac(Encoder):
    """AAC in ADTS frames by PyAV."""

    def __init__(self, codec_rate: int, rate: int) -> None:
        import av

        super().__init__(codec_rate, rate)
        self._av: Any = av
        self._sink = _Sink()
        self._container: Any = av.open(self._sink, "w", format="adts")
        self._stream: Any = self._container.add_stream("aac", rate=rate, layout="mono", bit_rate=_AAC_BITS)
        self._pending = np.zeros(0, np.float32)
        self._samples = 0

    def _encode(self, wave: Wave) -> bytes:
        self._pending = np.concatenate((self._pending, np.clip(prepared(wave), -1, 1)))
        size = self._stream.codec_context.frame_size or 1024
        while len(self._pending) >= size:
            self._frame(self._pending[:size])
            self._pending = self._pending[size:]
        return self._sink.take()

    def _frame(self, samples: Wave) -> None:
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self.rate, self._samples
        self._samples += len(samples)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _end(self) -> bytes:
        if len(self._pending):
            self._frame(self._pending)
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return self._sink.take()


def encoder(format: str, codec_rate: int, rate: int) -> Encoder:
    """What writes a response while it is made."""
    if format in ("wav", "pcm"):
        return _Plain(codec_rate, rate, header=format == "wav")
    return _Aac(codec_rate, rate) if format == "aac" else _Encoded(format, codec_rate, rate)


def encoded(waves: list[Wave], format: str, codec_rate: int, rate: int) -> bytes:
    """Whole speech as a file whose header says how long it is."""
    if format in ("wav", "flac"):
        samples = np.concatenate([*waves, np.zeros(0, np.float32)])
        return encode_wave(resample(samples, codec_rate, rate), rate, format)
    made = encoder(format, codec_rate, rate)
    return made.write(waves) + made.finish()
