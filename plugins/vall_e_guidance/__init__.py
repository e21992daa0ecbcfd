"""`cfg`: classifier-free guidance as a member of the chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class Cfg(Sampler):
    """Move the logits away from those that the model has without text and voice: null + strength (x - null).

    Ho & Salimans, "Classifier-Free Diffusion Guidance" (arXiv 2207.12598). `rescale` brings the spread over the tokens
    back towards that of x (Lin et al., arXiv 2305.08891), at each step by itself; `--cfg-strength`, which also guides
    the further levels, measures the spread over all steps so far. Only one of the two can guide.
    """

    name = "cfg"
    place = "guidance"
    prepares = True
    stages = frozenset({"ar"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "there guidance takes all frames at once: use --cfg-strength",
        "stt": "a transcription has neither text nor voice to leave out",
        "len": "the length is predicted without guidance",
    }
    removes = False
    needs = frozenset({"unconditional_logits"})

    strength: float = param(2.0, primary=True, min=0.0, max=100.0, neutral=0.0, help="how far; 0 and 1 change nothing")
    rescale: float = param(0.75, min=0.0, max=1.0, help="how far the spread is brought back; 0 leaves it")

    def is_neutral(self) -> bool:
        """At 0, as --cfg-strength, and at 1, where the formula gives x."""
        return self.strength in (0.0, 1.0)

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .guidance import CfgTransform

        return CfgTransform(self.strength, self.rescale)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The sampler of this package."""
    return [Cfg]
