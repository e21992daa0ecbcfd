"""Scorers: what chooses among finished takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from ..component import BuildContext, Component
from ..parameters import param

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True)
class Scorer(Component):
    """Scores a finished take. Among several candidates, the one with the highest sum of weight × score is kept."""

    kind = "scorer"
    default: ClassVar[bool] = False
    """Whether it is used if no scorer is named. It is then left out if its `build` raises ModelError."""

    weight: float = param(1.0, primary=True, min=0.0, help="weight of its score")

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> ScorerModel: ...


@dataclass(frozen=True, eq=False)
class FinishedTake:
    """One finished take of one part of a text: what a scorer gets."""

    text: str
    phonemes: str
    """The expected phonemes, as the model read them."""
    language: str
    codes: Tensor = field(repr=False)
    """[T, q] int64."""
    wave: NDArray[np.float32] = field(repr=False)
    """[samples] in -1..1 at `sample_rate`."""
    sample_rate: int
    frame_rate: float
    expected_seconds: float
    """The usual length of the text, at the reference's pace if that is known."""
    stop_reason: str
    """`stop` by the model itself, `length` at the limit, `predicted` if the length was predicted."""
    verdict: str
    """`ok`, `short`, `length` (never stopped), `loop`."""
    log_probability: float | None = None
    """The natural logarithm of the model's probability of level 0 with its stop token; None without an AR pass."""

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return len(self.wave) / self.sample_rate


@runtime_checkable
class ScorerModel(Protocol):
    """A built scorer."""

    def score(self, take: FinishedTake) -> float | None:
        """The score of the take: higher is better, and 0 is perfect if there is a perfect take.

        None if it can't tell. A score depends only on the take, never on other takes.
        """
        ...
