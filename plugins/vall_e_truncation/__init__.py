"""Truncation by rank and by probability: `top-k`, `top-p`, `min-p`, and the less common filters of `further`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

from .base import Truncation
from .further import Epsilon, Eta, TailFree, TopA, TopH, TopNSigma, TypicalP

if TYPE_CHECKING:
    from vall_e_core import Transform


@dataclass(frozen=True)
class TopK(Truncation):
    """Keep exactly the k most probable tokens, the lowest ids first among equals."""

    name = "top-k"
    order = 70

    k: int = param(
        50, primary=True, min=0, neutral=0, help="how many tokens to keep; 0 keeps all",
        flags=(Flag("--top-k", help="keep the k most probable tokens; 0 is off"),),
    )  # fmt: skip

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .filters import TopKTransform

        return TopKTransform(self.k)


@dataclass(frozen=True)
class TopP(Truncation):
    """Keep the smallest set of tokens whose probability reaches p (nucleus sampling).

    Holtzman et al., "The Curious Case of Neural Text Degeneration" (arXiv 1904.09751). 0 keeps one token.
    """

    name = "top-p"
    order = 90

    p: float = param(
        0.9, primary=True, min=0.0, max=1.0, neutral=1.0, help="the probability to reach; 1 keeps all",
        flags=(Flag("--top-p", help="keep the smallest set of tokens whose probability reaches this; 1 is off"),),
    )  # fmt: skip

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .filters import TopPTransform

        return TopPTransform(self.p)


@dataclass(frozen=True)
class MinP(Truncation):
    """Keep the tokens that are at least p times as probable as the most probable one.

    Nguyen et al., "Turning Up the Heat: Min-p Sampling" (arXiv 2407.01082).
    """

    name = "min-p"
    order = 100

    p: float = param(
        0.05, primary=True, min=0.0, max=1.0, neutral=0.0, help="share of the best token's probability; 0 keeps all",
        flags=(Flag("--min-p", help="keep tokens at least this share as probable as the best one; 0 is off"),),
    )  # fmt: skip

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .filters import MinPTransform

        return MinPTransform(self.p)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [TopNSigma, TopH, TopK, TailFree, TypicalP, TopP, TopA, MinP, Epsilon, Eta]
