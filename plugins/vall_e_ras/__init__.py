"""`ras`: repetition-aware sampling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Selector


@dataclass(frozen=True)
class RepetitionAware(Sampler):
    """Draw from a nucleus; if the token is too frequent in the recent past, draw again from all tokens.

    Chen et al., "VALL-E 2" (arXiv 2406.05370), with CosyVoice's parameters: if the token drawn from the top_p
    nucleus (at most top_k tokens) makes up at least `threshold` of the last `window` tokens, a second draw replaces
    it. The second draw is from everything that the chain's filters left, without the repeated token if
    `mask_before_resample` says so (CosyVoice). If only the stop token would be left, the first draw stands. The
    nucleus always contains the stop token.

    Under a beam, hypotheses are scored by the probability that these two draws together give a token.
    """

    name = "ras"
    role = "selector"
    place = "selection"
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "tokens that are decided in parallel have no history",
        "len": "a length has too few digits",
    }

    window: int = param(10, primary=True, min=1, unit="tokens", help="how far back repetitions count")
    threshold: float = param(
        0.1, min=0.0, max=1.0, exclusive_min=True, help="the share of the window from which a token counts as repeated"
    )
    top_p: float = param(0.8, min=0.0, max=1.0, help="probability of the first draw's nucleus; 1 takes all")
    top_k: int = param(25, min=0, help="maximum size of the nucleus; 0 is no limit")
    mask_before_resample: bool = param(True, help="the second draw can't give the repeated token again")

    @classmethod
    def retry(cls, chain: Sequence[Sampler]) -> tuple[str, list[Sampler]]:
        """It gets out of loops."""
        return cls.name, [*chain, cls()]

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from .select import RepetitionAwareSelector

        return RepetitionAwareSelector(
            self.window, self.threshold, self.top_p, self.top_k, mask=self.mask_before_resample
        )


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [RepetitionAware]
