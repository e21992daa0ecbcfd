"""`adaptive-p`: tokens around a target probability."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Selector


@dataclass(frozen=True)
class AdaptiveP(Sampler):
    """Prefer tokens whose probability is near a target that compensates for earlier draws.

    As in llama.cpp (adaptive-p). The logits become 5 - 10·d² / (1 + d), d = |p - a| / 0.3, with the adapted target
    a = 2·target - (mean of the probabilities drawn), between 0 and 1. The mean is exponential, starts at the target,
    and follows its hypothesis under a beam. Improbable tokens are only discouraged: put a `min-p` before it.

    The stop token keeps the probability that it had, so that speech ends when the model wants it to.
    """

    name = "adaptive-p"
    role = "selector"
    place = "selection"
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "it makes up for earlier tokens, and tokens that are decided in parallel have no order",
        "len": "a length has too few digits",
    }

    target: float = param(
        0.5, primary=True, max=1.0, neutral=-1.0,
        help="the probability that drawn tokens should have; below 0 switches it off",
    )  # fmt: skip
    decay: float = param(0.9, min=0.0, max=1.0, help="share of the mean that each token leaves as it is")

    def is_neutral(self) -> bool:
        """Below 0, as in llama.cpp."""
        return self.target < 0

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from .select import AdaptiveSelector

        return AdaptiveSelector(self.target, self.decay)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [AdaptiveP]
