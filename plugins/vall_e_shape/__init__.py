"""Filters that look at the shape of the distribution: `p-less`, `min-k`, `p-step`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class PLess(Sampler):
    """Keep the tokens with p >= Σ p², the probability that two draws give the same token. Nothing to tune.

    Tan, Wu and Howard, "p-less Sampling" (ICLR 2026, arXiv 2509.23234).
    """

    name = "p-less"
    after = ("eta",)
    invariances = frozenset({"argmax", "shift", "compact"})

    normalized: bool = param(
        False, primary=True, help="the relaxed threshold, which keeps more where the distribution is flat"
    )

    def build(self, ctx: BuildContext) -> Transform:
        """The object that does the work."""
        from .filters import PLessTransform

        return PLessTransform(self.normalized)


@dataclass(frozen=True)
class MinK(Sampler):
    """Cut at the steepest drop of the sorted logits, where a drop after rank i counts 1/i.

    Ding et al., "Min-k Sampling" (ACL 2026, arXiv 2604.11012). What it cuts doesn't depend on the temperature.
    """

    name = "min-k"
    after = ("p-less",)
    invariances = frozenset({"argmax", "shift", "compact"})

    tau: float = param(
        3.0, primary=True, min=0.0, help="keeps at least tau / range tokens, which matters for nearly flat logits only"
    )

    def build(self, ctx: BuildContext) -> Transform:
        """The object that does the work."""
        from .filters import MinKTransform

        return MinKTransform(self.tau)


@dataclass(frozen=True)
class PStep(Sampler):
    """Cut at the first step down: the first token less than p times as probable as the one before it.

    p-e-w, llama.cpp pull request 5675.
    """

    name = "p-step"
    after = ("min-k",)
    invariances = frozenset({"argmax", "shift", "compact"})

    p: float = param(
        0.5,
        primary=True,
        min=0.0,
        max=1.0,
        neutral=0.0,
        help="a step is a token less than p times as probable as the one before it; 0 switches it off",
    )

    def build(self, ctx: BuildContext) -> Transform:
        """The object that does the work."""
        from .filters import PStepTransform

        return PStepTransform(self.p)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [PLess, MinK, PStep]
