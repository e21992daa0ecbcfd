"""Reading and writing audio files, with every check that has to come before a model hears them."""

from __future__ import annotations

from .clip import AudioClip
from .read import MINIMUM_SECONDS, read_audio, read_windows
from .write import AudioWriter, pcm16_bytes, stream_header, write_audio

__all__ = [
    "MINIMUM_SECONDS",
    "AudioClip",
    "AudioWriter",
    "pcm16_bytes",
    "read_audio",
    "read_windows",
    "stream_header",
    "write_audio",
]
