"""The judges of the voice, and what is made of all their verdicts together: ABX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .extras import versions
from .features import active, at_rate, median_pitch, mel_cepstra
from .judged import Verdict

if TYPE_CHECKING:
    from .judged import Judged, Recording

CEPSTRA = 19


class MfccJudge:
    """Mean and standard deviation of each of 19 mel cepstra over the frames that are sound: 38 numbers."""

    def __init__(self) -> None:
        self.versions = versions("numpy", "scipy")

    def judge(self, given: Judged) -> Verdict:
        """No figure of its own; where the voice lies."""
        wave = at_rate(given.recording)
        found = mel_cepstra(wave, CEPSTRA)[active(wave)]
        if len(found) < 5:
            return Verdict()
        return Verdict(voice=[round(float(each), 6) for each in np.concatenate([found.mean(0), found.std(0)])])


@lru_cache(maxsize=256)
def _pitch(recording: Recording) -> float | None:
    return median_pitch(at_rate(recording))


class PitchJudge:
    """Compares the median fundamental frequency with the reference's."""

    def __init__(self, within: float) -> None:
        self.within = within
        self.versions = versions("numpy")

    def judge(self, given: Judged) -> Verdict:
        """`near` is 0 where no voice is found in the recording; None where there is none in the reference."""
        wanted = None if given.reference is None else _pitch(given.reference)
        if wanted is None:
            return Verdict({"near": None, "off": None})
        found = median_pitch(at_rate(given.recording))
        if found is None:
            return Verdict({"near": 0.0, "off": None}, "no voice")
        near = float(abs(found / wanted - 1) <= self.within)
        return Verdict(
            {"near": near, "off": round(abs(12 * float(np.log2(found / wanted))), 4)},
            f"{found:.0f} Hz, the reference {wanted:.0f} Hz",
        )


@dataclass(frozen=True)
class Compared:
    """An output among the references."""

    nearer: float
    """The share of other speakers' references that its own is nearer than."""
    nearest: str
    """The speaker of the nearest of all."""
    others: float
    """The mean cosine with other speakers' references."""


def likeness(
    outputs: Sequence[tuple[str, Sequence[float]]], references: Mapping[str, Sequence[float]], *, as_it_is: bool = False
) -> NDArray[np.float64]:
    """How near each output (name of its reference, place) is to each reference: cosines [outputs, references].

    Args:
        as_it_is: if False, every dimension is brought to mean 0 and deviation 1 over references and outputs together.
    """
    every = np.array([*references.values(), *(place for _, place in outputs)], dtype=np.float64)
    if not as_it_is:
        every = (every - every.mean(0)) / np.maximum(every.std(0), 1e-9)
    every /= np.maximum(np.linalg.norm(every, axis=1, keepdims=True), 1e-9)
    found: NDArray[np.float64] = every[len(references) :] @ every[: len(references)].T
    return found


def abx(
    outputs: Sequence[tuple[str, Sequence[float]]],
    references: Mapping[str, Sequence[float]],
    speakers: Mapping[str, str] | None = None,
    *,
    as_it_is: bool = False,
) -> list[Compared] | None:
    """Each output among the references; None where there is nothing to compare, or only one speaker.

    Args:
        outputs: the name of its reference, and its place.
        references: places by name.
        speakers: whose each reference is, where several are of one speaker; if None, each has its own.
        as_it_is: as `likeness` takes it.
    """
    names = list(references)
    whose = np.array([name if speakers is None else speakers[name] for name in names])
    if len(set(whose)) < 2 or not outputs:
        return None
    found = []
    for (name, _), row in zip(outputs, likeness(outputs, references, as_it_is=as_it_is), strict=True):
        own = names.index(name)
        others = row[whose != whose[own]]
        found.append(Compared(float((row[own] > others).mean()), str(whose[row.argmax()]), float(others.mean())))
    return found
