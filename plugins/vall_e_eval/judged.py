"""What a judge is given, and what it says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples [n] in -1..1 at `sample_rate`."""

    wave: NDArray[np.float32] = field(repr=False)
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.wave) / self.sample_rate


@dataclass(frozen=True, eq=False)
class Judged:
    """A recording before a judge, and what is known about it; what isn't known is None or empty."""

    recording: Recording
    text: str = ""
    """What it is to say."""
    phonemes: str = ""
    language: str = "en"
    reference: Recording | None = None
    """The voice it is to have, saying something else."""
    original: Recording | None = None
    """What it was made from, at the same rate, length and time: the input of a codec."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one recording."""

    figures: Mapping[str, float | None] = field(default_factory=dict)
    """By the keys that `Judge.figures` declares; None where it can't tell. The mean over all recordings is reported."""
    heard: str | None = None
    """What it heard, for whoever wants to know why."""
    voice: Sequence[float] | None = None
    """Where the voice lies in a space of the judge's own. Of these `vall-e eval` makes ABX figures."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much a figure counts in the mean where that isn't 1: the number of words, for a word error rate."""
