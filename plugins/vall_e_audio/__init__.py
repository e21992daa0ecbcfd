"""Recordings: where in them somebody speaks.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from .arrays import as_wav, is_samples
from .detector import METHODS, Method, SpeechDetector, open_method
from .speech import FRAME_SECONDS, frame_levels, runs, speech_frames

__all__ = [
    "FRAME_SECONDS",
    "METHODS",
    "Method",
    "SpeechDetector",
    "as_wav",
    "frame_levels",
    "is_samples",
    "open_method",
    "runs",
    "speech_frames",
]
