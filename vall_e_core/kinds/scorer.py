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
    """Judges a finished take. Of several candidates the one with the highest sum of weight × score is kept."""

    kind = "scorer"
    default: ClassVar[bool] = False
    """Whether it judges where no scorer is named. One whose `build` raises ModelError is then left out."""

    weight: float = param(1.0, primary=True, min=0.0, help="weight of its score")

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> ScorerModel: ...


@dataclass(frozen=True, eq=False)
class FinishedTake:
    """One take of one part of a text, ready to be heard: what a scorer judges."""

    text: str
    phonemes: str
    """What was to be said, as the model read it."""
    language: str
    codes: Tensor = field(repr=False)
    """[T, q] int64."""
    wave: NDArray[np.float32] = field(repr=False)
    """[samples] in -1..1 at `sample_rate`."""
    sample_rate: int
    frame_rate: float
    expected_seconds: float
    """How long the text usually takes, at the pace of the reference where that is known."""
    stop_reason: str
    """`stop` by the model itself, `length` at the bound, `predicted` where the length was known beforehand."""
    verdict: str
    """`ok`, `short`, `length` (never stopped), `loop`."""
    log_probability: float | None = None
    """The model's own, of all of level 0 with its stop token (natural logarithm); None where there is no AR pass."""

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return len(self.wave) / self.sample_rate


@runtime_checkable
class ScorerModel(Protocol):
    """A built scorer."""

    def score(self, take: FinishedTake) -> float | None:
        """How good the take is: the higher, the better, and 0 for one that is perfect if there is such a thing.

        None where it can't tell. A score depends on the take alone, never on its neighbours.
        """
        ...
