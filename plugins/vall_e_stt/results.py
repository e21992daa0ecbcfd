"""What a transcription hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vall_e_trace import TraceLog


@dataclass(frozen=True)
class Heard:
    """One window of a transcription; `start` and `seconds` are its place in the audio."""

    start: float
    seconds: float
    phonemes: str
    stop_reason: str
    log_probability: float
    text: str | None = None
    """What the speller made of the phonemes; None without one."""

    @property
    def shown(self) -> str:
        """The words, or without a speller the phonemes."""
        return self.phonemes if self.text is None else self.text


@dataclass(frozen=True)
class Transcription:
    """The IPA phonemes of all windows in order, and their words if a speller was named. `no_speech` is true if nobody
    speaks."""

    phonemes: str
    seconds: float
    windows: Sequence[Heard]
    no_speech: bool
    record: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    trace: TraceLog | None = None
    """What the chain did at each step, if a trace was requested."""
    text: str | None = None
    """The words of all windows; None without a speller."""

    @property
    def shown(self) -> str:
        """The words, or without a speller the phonemes."""
        return self.phonemes if self.text is None else self.text
