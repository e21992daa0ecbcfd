"""Registers the `soft-cap` sampler. Only declarations live here, so that `vall-e --help` stays quick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class SoftCap(Sampler):
    """Squash logits smoothly into ±cap, so that no token is ever certain.

    x becomes cap · tanh(x / cap), as in Gemma 2 (arXiv 2408.00118, section 2).
    """

    name = "soft-cap"
    place = "logits"

    cap: float = param(30.0, primary=True, min=0.0, neutral=0.0, help="largest magnitude of a logit; 0 switches it off")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform that does the work (torch is imported only now)."""
        from .soft_cap import SoftCapTransform

        return SoftCapTransform(self.cap)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [SoftCap]
