"""A recording that a client sends to be transcribed, in chunks of samples."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass, field
from typing import Any

from vall_e_stt import HearingOptions, find_speller
from vall_e_tts import Hear

from ..bodies import AUDIO_LIMIT
from ..decoding import decode_upload
from ..errors import HttpError
from ..server import Server
from ..transcriptions import MOST_SECONDS

USUAL_LANGUAGE = "en"
_MOST_RATE, _MOST_CHANNELS, _WIDTHS = 384_000, 8, (1, 2, 3, 4)


@dataclass
class SentAudio:
    """What was sent so far: samples as the client described them."""

    language: str
    format: dict[str, Any]
    """Its `audio-start`: rate, width, channels."""
    room: int = AUDIO_LIMIT
    """How many bytes may come."""
    samples: bytearray = field(default_factory=bytearray)
    too_long: bool = False

    def add(self, piece: bytes) -> None:
        """More of it; nothing is kept of what is too long."""
        self.too_long = self.too_long or len(self.samples) + len(piece) > self.room
        if not self.too_long:
            self.samples += piece
        else:
            self.samples.clear()

    def file(self) -> bytes:
        """As a WAV file. Raises HttpError where it is too long, or its description makes no sense."""
        if self.too_long:
            raise HttpError(413, f"the recording has more than {AUDIO_LIMIT >> 20} MiB", code="too_long")
        rate, width, channels = (self.format.get(key) for key in ("rate", "width", "channels"))
        if not (
            isinstance(rate, int) and isinstance(width, int) and isinstance(channels, int)
            and 0 < rate <= _MOST_RATE and width in _WIDTHS and 0 < channels <= _MOST_CHANNELS
        ):  # fmt: skip
            given = f"rate {rate!r:.20}, width {width!r:.20}, channels {channels!r:.20}"
            raise HttpError(400, f"the audio has a format that can't be read: {given}", code="bad_audio")
        made = io.BytesIO()
        with wave.open(made, "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(width)
            file.setframerate(rate)
            file.writeframes(self.samples[: len(self.samples) // (width * channels) * (width * channels)])
        return made.getvalue()

    def call(self, server: Server) -> Hear:
        """The call that transcribes it into words. Raises HttpError where it can't be read or nothing spells it."""
        if find_speller(server.registry, "auto", self.language) is None:
            raise HttpError(400, f"no speller writes the language {self.language[:40]!r}", code="bad_value")
        how = HearingOptions(language=self.language, spell="auto")
        clip = decode_upload(self.file(), server.engine.codec.sample_rate, MOST_SECONDS, param="audio")
        return Hear(clip, how, None)
