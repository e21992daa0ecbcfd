"""`mirostat`: a truncation that steers how surprising the tokens are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Selector


@dataclass(frozen=True)
class Mirostat(Sampler):
    """Draw from the most probable tokens, as many as keep the mean surprise at tau bits.

    Basu et al., "Mirostat" (arXiv 2007.14966). Each row has a largest surprise μ of its own, which starts at 2·tau and
    after every token moves by eta · (tau - surprise); under a beam it follows its hypothesis. Version 1 estimates
    Zipf's exponent ŝ = Σ t·b / Σ t² from the ratios of the m most probable tokens, t = ln((i+1)/i) and
    b = ln(q_i/q_(i+1)), and keeps k = (ε·2^μ / (1 - n^-ε))^(1/ŝ) tokens, ε = ŝ - 1. Version 2 keeps the tokens with
    -log2 p ≤ μ.

    The variant `paper` does as basusourya's code: round(k) + 1 tokens, and the surprise is the token's in the whole
    distribution. `llama.cpp` keeps the integer part of k, and takes the surprise among the tokens kept. Version 2 takes
    it so in both. The stop token is never cut off.
    """

    name = "mirostat"
    beside: ClassVar[Mapping[str, str]] = {
        "beam": "upstream VALL-E calls them incompatible; here nothing is drawn, each hypothesis has a largest "
        "surprise of its own, which follows it, and the beam ranks what mirostat leaves of each",
    }  # fmt: skip
    role = "selector"
    place = "selection"
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "it steers from one token to the next, and tokens that are decided in parallel have no order",
        "len": "a length has too few digits",
    }
    harmed_by_filters = "what was cut off is missing from its estimate of the distribution, which biases its control"

    tau: float = param(
        5.0, primary=True, min=0.0, max=1e30, neutral=0.0, unit="bits",  # float32 holds twice that
        help="the target surprise; 0 is off",
        flags=(Flag("--mirostat-tau", help="target surprise of mirostat (version 1), in bits; 0 is off"),),
    )  # fmt: skip
    eta: float = param(
        0.1, min=0.0, help="learning rate",
        flags=(Flag("--mirostat-eta", help="learning rate of mirostat; default: 0.1"),),
    )  # fmt: skip
    version: int = param(1, choices=(1, 2), help="1 estimates Zipf's exponent, 2 cuts at the largest surprise")
    variant: Literal["paper", "llama.cpp"] = param("paper", help="whose arithmetic")
    m: int | None = param(
        None, min=2, help="version 1: how many tokens the exponent is estimated from; 101 for paper, 100 for llama.cpp"
    )
    n: int | None = param(None, min=2, help="version 1: the size N in the formula; the vocabulary's if absent")

    def build(self, ctx: BuildContext) -> Selector:
        """Return the selector."""
        from .select import MirostatSelector

        paper = self.variant == "paper"
        ratios = self.m if self.m is not None else 101 if paper else 100
        return MirostatSelector(self.tau, self.eta, self.version, paper, ratios, self.n)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Mirostat]
