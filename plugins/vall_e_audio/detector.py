"""How likely speech is, for audio that arrives in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .energy import EnergyGate
from .silero import Silero, missing
from .speech import FRAME_SECONDS, Floats, frame_levels

METHODS = ("auto", "silero", "energy", "off")
RATE = 16_000
#: Level (RMS) to which the loudest tenths of a second of a quiet block are brought, and the most that may take.
LOUD, MOST_GAIN = 0.1, 100.0
#: A block whose peak is below this is silence (-60 dBFS), as it is to whatever reads recordings.
SILENT_PEAK = 1e-3

Samples = NDArray[np.float32]


class Method(Protocol):
    """One way to tell speech from anything else."""

    name: str
    chunk: int

    def probability(self, chunk: Samples) -> float:
        """That the next `chunk` samples [chunk] at 16 kHz are speech."""
        ...


def open_method(name: str, notify: Callable[[str], None]) -> Method | None:
    """The way of that name: None for `off`. `auto` is Silero's network, or the gate where it can't be imported.

    Args:
        name: one of `METHODS`.
        notify: hears where the gate stands in for the network.

    Raises:
        ImportError: where Silero was asked for by name and can't be imported.
    """
    if name == "off":
        return None
    if name == "energy":
        return EnergyGate()
    why = missing()
    if why is None:
        return Silero()
    if name == "silero":
        raise ImportError(why)
    notify(f"speech is detected by loudness only: {why}")
    return EnergyGate()


class SpeechDetector:
    """The probability of speech in frames of 20 ms, of a recording that is handed in block by block."""

    def __init__(self, method: Method, sample_rate: int) -> None:
        import soxr

        self._method = method
        self._rate = sample_rate
        self._resampler = None
        if sample_rate != RATE:
            self._resampler = soxr.ResampleStream(sample_rate, RATE, 1, dtype="float32", quality="HQ")
        self._pending: Samples = np.zeros(0, np.float32)
        self._found: list[float] = []
        self._chunks = 0
        """How many chunks have been left behind: `_found` starts there."""
        self._frames = 0
        quiet = np.zeros(method.chunk, np.float32)
        for _ in range(-(-RATE // 2 // method.chunk)):  # a network that is used to the silence knows a first word
            method.probability(quiet)

    @property
    def name(self) -> str:
        """Of the method."""
        return self._method.name

    def feed(self, block: Samples, *, final: bool = False) -> Floats:
        """The probabilities of the frames [n] that are complete with `block` [m]; the last ones with `final`."""
        quiet = frame_levels(block, max(1, round(FRAME_SECONDS * self._rate)))
        loudest = float(np.quantile(quiet, 0.995)) if len(quiet) else 0.0
        gain = min(max(1.0, LOUD / max(loudest, 1e-9)), MOST_GAIN)
        if float(np.abs(block).max(initial=0.0)) < SILENT_PEAK:
            gain = 0.0
        samples = np.asarray(block * np.float32(gain), np.float32)
        if self._resampler is not None:
            samples = np.asarray(self._resampler.resample_chunk(samples, last=final), np.float32)
        self._pending = np.concatenate([self._pending, samples])
        size = self._method.chunk
        if final and len(self._pending):
            self._pending = np.pad(self._pending, (0, 2 * size - len(self._pending) % size))
        whole = len(self._pending) // size
        for index in range(whole):
            self._found.append(self._method.probability(self._pending[index * size : (index + 1) * size]))
        self._pending = self._pending[whole * size :]
        return self._new_frames(size / RATE)

    def _new_frames(self, chunk_seconds: float) -> Floats:
        """Each frame has the probability of the chunk in which its middle lies."""
        stop = int((self._chunks + len(self._found)) * chunk_seconds / FRAME_SECONDS)
        middles = (np.arange(self._frames, max(stop, self._frames)) + 0.5) * FRAME_SECONDS
        at = np.minimum((middles / chunk_seconds).astype(np.int64) - self._chunks, len(self._found) - 1)
        found = np.asarray(self._found, np.float64)[at] if len(at) else np.zeros(0)
        self._frames = max(stop, self._frames)
        kept = min(len(self._found), 2)
        self._chunks += len(self._found) - kept
        self._found = self._found[len(self._found) - kept :]
        return found
