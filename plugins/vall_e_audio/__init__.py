"""Recordings: where in them somebody speaks.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from .detector import METHODS, Method, SpeechDetector, open_method
from .speech import FRAME_SECONDS, frame_levels, runs, speech_frames

__all__ = [
    "FRAME_SECONDS",
    "METHODS",
    "Method",
    "SpeechDetector",
    "frame_levels",
    "open_method",
    "runs",
    "speech_frames",
]
