"""Speech that is whole before it is handed back."""

from __future__ import annotations

import numpy as np

from .results import Speech
from .stream import SpeechStream


def whole_speech(stream: SpeechStream) -> Speech:
    """All of a stream that keeps its parts. Raises what the stream raises."""
    wave = np.concatenate([*stream, np.zeros(0, np.float32)])
    return Speech(wave, stream.sample_rate, stream.parts, stream.record, stream.warnings, stream.trace())
