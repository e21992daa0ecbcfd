"""Truncation: by rank and probability (`top-k`, `top-p`, `min-p`), by spread, entropy and tail (the others)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


class Truncation(Sampler):
    """A filter that keeps the most probable tokens; one flag switches it on in both passes."""

    invariances = frozenset({"argmax", "shift", "compact"})

    @classmethod
    def flag_stage(cls, stage: str) -> Literal["ar", "nar"]:
        """The same flag in every stage."""
        return "ar"

_ORDER = (
    "top-n-sigma", "top-h", "top-k", "tfs", "typical-p", "top-p", "top-a", "min-p", "epsilon", "eta",
)
"""The canonical order of these filters."""


@dataclass(frozen=True)
class TopK(Truncation):
    """Keep exactly the k most probable tokens, the lowest ids first among equals."""

    name = "top-k"
    after = _ORDER[:2]

    k: int = param(
        50, primary=True, neutral=0, help="how many tokens to keep; 0 and below keep all",
        flags=(Flag("--top-k", help="keep the k most probable tokens; 0 is off"),),
    )  # fmt: skip

    def is_neutral(self) -> bool:
        """At 0 and below."""
        return self.k <= 0

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .filters import TopKTransform

        return TopKTransform(max(self.k, 0))


@dataclass(frozen=True)
class TopP(Truncation):
    """Keep the smallest set of tokens whose probability reaches p (nucleus sampling).

    Holtzman et al., "The Curious Case of Neural Text Degeneration" (arXiv 1904.09751). 0 keeps one token.
    """

    name = "top-p"
    after = _ORDER[:5]

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
    after = _ORDER[:7]

    p: float = param(
        0.05, primary=True, min=0.0, max=1.0, neutral=0.0, help="share of the best token's probability; 0 keeps all",
        flags=(Flag("--min-p", help="keep tokens at least this share as probable as the best one; 0 is off"),),
    )  # fmt: skip

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .filters import MinPTransform

        return MinPTransform(self.p)


@dataclass(frozen=True)
class TopNSigma(Truncation):
    """Keep the tokens whose logit is within n standard deviations of the highest one: x >= max - n σ.

    Tang et al., "Top-nσ: Not All Logits Are You Need" (arXiv 2411.07641). σ is the population deviation of the logits
    that are left; no temperature changes what is kept. It belongs before other filters, which would change σ.
    """

    name = "top-n-sigma"

    n: float = param(1.0, primary=True, neutral=0.0, help="how many standard deviations; 0 and below keep all")

    def is_neutral(self) -> bool:
        """At 0 and below."""
        return self.n <= 0

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .levels import TopNSigmaTransform

        return TopNSigmaTransform(self.n)


@dataclass(frozen=True)
class TopH(Truncation):
    """Keep as many of the most probable tokens as hold at most the share h of the entropy.

    Potraghloo et al., "Top-H Decoding" (arXiv 2509.02510), as in transformers: among the top_n tokens, renormalized,
    the longest prefix with Σ -p ln p <= h H; never less than one token.
    """

    name = "top-h"
    after = _ORDER[:1]

    h: float = param(0.4, primary=True, min=0.0, max=1.0, neutral=1.0, help="share of the entropy; 1 keeps all top_n")
    top_n: int = param(100, min=0, neutral=0, help="number of tokens to look at, the others are removed; 0 looks "
                                                   "at all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .masses import TopHTransform

        return TopHTransform(self.h, self.top_n)


@dataclass(frozen=True)
class TailFree(Truncation):
    """Cut the tail where the sorted probabilities stop bending (tail-free sampling).

    Phoenix & Egan (2019): the absolute second differences of the sorted probabilities, normalized, add up to z.
    Where nothing bends (two tokens, or all equal) there is no tail.
    """

    name = "tfs"
    after = _ORDER[:3]
    invariances = frozenset({"argmax", "shift"})  # removed tokens are part of the tail

    z: float = param(0.95, primary=True, min=0.0, max=1.0, neutral=1.0, help="share of the bend to keep; 1 keeps all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .masses import TailFreeTransform

        return TailFreeTransform(self.z)


@dataclass(frozen=True)
class TypicalP(Truncation):
    """Keep the tokens whose information is nearest to the entropy, until their probability reaches p.

    Meister et al., "Locally Typical Sampling" (arXiv 2202.00666): in order of |-ln p - H|. The most probable token may
    go, so before `greedy` it has little use.
    """

    name = "typical-p"
    after = _ORDER[:4]
    invariances = frozenset({"shift", "compact"})

    p: float = param(0.95, primary=True, min=0.0, max=1.0, neutral=1.0, help="the probability to reach; 1 keeps all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .masses import TypicalTransform

        return TypicalTransform(self.p)


@dataclass(frozen=True)
class TopA(Truncation):
    """Keep the tokens with a probability of at least a times the square of the best one's (BlinkDL, RWKV-LM)."""

    name = "top-a"
    after = _ORDER[:6]

    a: float = param(0.2, primary=True, min=0.0, max=1.0, neutral=0.0, help="share of the square; 0 keeps all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .levels import TopATransform

        return TopATransform(self.a)


@dataclass(frozen=True)
class Epsilon(Truncation):
    """Keep the tokens with a probability of at least epsilon, and the most probable one.

    Hewitt et al., "Truncation Sampling as Language Model Desmoothing" (arXiv 2210.15191).
    """

    name = "epsilon"
    after = _ORDER[:8]

    epsilon: float = param(3e-4, primary=True, min=0.0, max=1.0, neutral=0.0, help="minimum probability; 0 keeps all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .levels import EpsilonTransform

        return EpsilonTransform(self.epsilon)


@dataclass(frozen=True)
class Eta(Truncation):
    """Keep the tokens with a probability of at least min(ε, √ε · e^-H), and the most probable one.

    Hewitt et al. (arXiv 2210.15191): as `epsilon`, but less is asked where the entropy H is high.
    """

    name = "eta"
    after = _ORDER[:9]

    epsilon: float = param(3e-4, primary=True, min=0.0, max=1.0, neutral=0.0, help="the ε of the formula; 0 keeps all")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .levels import EtaTransform

        return EtaTransform(self.epsilon)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [TopNSigma, TopH, TopK, TailFree, TypicalP, TopP, TopA, MinP, Epsilon, Eta]
