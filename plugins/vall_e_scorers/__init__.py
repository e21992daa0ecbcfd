"""Judges of finished takes: the likely length, the model's own probability, and what the model hears in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Scorer, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import ScorerModel


requires = ("stt",)


@dataclass(frozen=True)
class Length(Scorer):
    """Prefer takes with the usual length of their text: -|ln(seconds / expected seconds)|, 0 if they agree."""

    name = "length"
    default = True
    weight: float = param(0.25, primary=True, min=0.0, help="weight of its score")

    def build(self, ctx: BuildContext) -> ScorerModel:
        from .plain import LengthModel

        return LengthModel()


@dataclass(frozen=True)
class LogProbability(Scorer):
    """Prefer takes that the AR pass finds probable: its log-probability per frame; no score without that pass."""

    name = "log-probability"
    default = True
    weight: float = param(0.1, primary=True, min=0.0, help="weight of its score")

    def build(self, ctx: BuildContext) -> ScorerModel:
        from .plain import LogProbabilityModel

        return LogProbabilityModel()


@dataclass(frozen=True)
class Stt(Scorer):
    """Prefer takes in which the model itself hears the text: minus the phoneme error rate.

    Only letters count, not stress, length, punctuation or spaces. For models that can transcribe.
    """

    name = "stt"
    default = True
    weight: float = param(1.0, primary=True, min=0.0, help="weight of its score")

    def build(self, ctx: BuildContext) -> ScorerModel:
        from .hearing import SttModel

        return SttModel.of(ctx)


@hookimpl
def vall_e_scorers() -> Iterable[type[Scorer]]:
    return [Stt, Length, LogProbability]
