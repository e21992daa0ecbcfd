"""What a transcription hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vall_e_trace import TraceLog


@dataclass(frozen=True)
class Heard:
    """One window of a transcription; `start` and `seconds` place it in the audio."""

    start: float
    seconds: float
    phonemes: str
    stop_reason: str
    log_probability: float


@dataclass(frozen=True)
class Transcription:
    """What was heard: IPA phonemes of all windows in order. `no_speech` is true where there was nothing to hear."""

    phonemes: str
    seconds: float
    windows: Sequence[Heard]
    no_speech: bool
    record: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    trace: TraceLog | None = None
    """What the chain did at every step, where a trace was asked for."""
