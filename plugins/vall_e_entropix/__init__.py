"""`entropix`: how to draw depends on how sure the model is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Selector


@dataclass(frozen=True)
class Entropix(Sampler):
    """Experimental: adapt the draw to the entropy and varentropy of each step's distribution.

    After xjdr's entropix, as far as logits alone allow: attention kernels don't return the attention statistics, so
    every term with them is left out. Entropy H and varentropy V (the variance of the surprise) are in bits, of what
    the chain leaves. A sure step (both low) takes the most probable token; a hesitant one (H above the middle, V
    low) draws at 1.3 times the temperature; a branching one (V high, H not) at 1.2 times; a lost one (both high) at
    2 times, at least at 2. In all other steps the temperature grows by 30 % and min-p falls by 50 % for each bit of
    H + V, and of several candidates drawn the most probable one is taken. Every draw is from the tokens that min-p,
    top-k and top-p keep at that temperature; the stop token is always among them.

    Under a beam, hypotheses follow that distribution; there are no candidates.
    """

    name = "entropix"
    role = "selector"
    place = "selection"
    experimental = True
    stages = frozenset({"ar", "nar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {"len": "a length has too few digits"}

    temperature: float = param(0.666, min=0.0, exclusive_min=True, help="the temperature that the factors apply to")
    top_p: float = param(0.9, min=0.0, max=1.0, help="keep the smallest set that reaches this probability; 1 keeps all")
    top_k: int = param(27, min=0, help="keep at most so many tokens; 0 keeps all")
    min_p: float = param(
        0.03, min=0.0, max=1.0, help="keep tokens at least this share as probable as the best; 0 keeps all"
    )
    low_entropy: float = param(0.1, min=0.0, unit="bits", help="a sure step has less")
    middle_entropy: float = param(3.0, min=0.0, unit="bits", help="a hesitant step has more")
    high_entropy: float = param(5.0, min=0.0, unit="bits", help="a lost step has more, a branching one less")
    low_varentropy: float = param(0.1, min=0.0, unit="bits²", help="a sure or hesitant step has less")
    high_varentropy: float = param(5.0, min=0.0, unit="bits²", help="a branching or lost step has more")
    candidates: int = param(5, min=1, max=64, help="how many are drawn where the most probable of them is taken")

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from .select import EntropixSelector, Thresholds

        limits = Thresholds(
            self.low_entropy, self.middle_entropy, self.high_entropy, self.low_varentropy, self.high_varentropy
        )
        return EntropixSelector(limits, self.temperature, self.top_p, self.top_k, self.min_p, self.candidates)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Entropix]
