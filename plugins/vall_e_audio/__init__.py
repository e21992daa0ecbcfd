"""Audio: files read and written, speech found in recordings, samples joined, stretched and bent.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .arrays import as_wav, is_samples
    from .bending import bent
    from .clip import AudioClip
    from .detector import METHODS, Method, SpeechDetector, open_method
    from .encoding import encode_wave
    from .joining import Joiner, Placed, Wave
    from .pacing import NATURAL, paced
    from .pitch import at_pitch, median_pitch
    from .read import MINIMUM_SECONDS, check_audio, read_audio, read_windows
    from .recording import (
        Readable,
        Recording,
        Spoken,
        is_recording,
        read_again,
        read_reference,
        readable,
        recordings,
        sha256_of,
    )
    from .signal import resample
    from .speaker import likeness, voiceprint
    from .speech import FRAME_SECONDS, frame_levels, runs, speech_frames
    from .vad import Window, open_detector, read_voiced
    from .write import SYNTHETIC, AudioWriter, pcm16_bytes, prepared, stream_header, wav_around, write_audio
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".arrays": ("as_wav", "is_samples"),
            ".bending": ("bent",),
            ".clip": ("AudioClip",),
            ".detector": ("METHODS", "Method", "SpeechDetector", "open_method"),
            ".encoding": ("encode_wave",),
            ".joining": ("Joiner", "Placed", "Wave"),
            ".pacing": ("NATURAL", "paced"),
            ".pitch": ("at_pitch", "median_pitch"),
            ".read": ("MINIMUM_SECONDS", "check_audio", "read_audio", "read_windows"),
            ".recording": (
                "Readable",
                "Recording",
                "Spoken",
                "is_recording",
                "read_again",
                "read_reference",
                "readable",
                "recordings",
                "sha256_of",
            ),
            ".signal": ("resample",),
            ".speech": ("FRAME_SECONDS", "frame_levels", "runs", "speech_frames"),
            ".vad": ("Window", "open_detector", "read_voiced"),
            ".speaker": ("likeness", "voiceprint"),
            ".write": (
                "SYNTHETIC", "AudioWriter", "pcm16_bytes", "prepared", "stream_header", "wav_around", "write_audio",
            ),
        },
    )

__all__ = [
    "FRAME_SECONDS",
    "METHODS",
    "MINIMUM_SECONDS",
    "NATURAL",
    "SYNTHETIC",
    "AudioClip",
    "AudioWriter",
    "Joiner",
    "Method",
    "Placed",
    "Readable",
    "Recording",
    "SpeechDetector",
    "Spoken",
    "Wave",
    "Window",
    "as_wav",
    "at_pitch",
    "bent",
    "check_audio",
    "encode_wave",
    "frame_levels",
    "is_recording",
    "is_samples",
    "likeness",
    "median_pitch",
    "open_detector",
    "open_method",
    "paced",
    "pcm16_bytes",
    "prepared",
    "read_again",
    "read_audio",
    "read_reference",
    "read_voiced",
    "read_windows",
    "readable",
    "recordings",
    "resample",
    "runs",
    "sha256_of",
    "speech_frames",
    "stream_header",
    "voiceprint",
    "wav_around",
    "write_audio",
]
