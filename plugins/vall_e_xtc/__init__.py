"""`xtc`: now and then leave out the most probable choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class Xtc(Sampler):
    """With some probability, remove all tokens that are likely enough except the least likely of them.

    "Exclude top choices" (p-e-w, text-generation-webui). The candidates are the tokens with a probability of at
    least `threshold`, without the stop token and the protected ids, which always stay; if there are fewer than two,
    nothing happens. It changes which token is the most probable, so a `greedy` after it doesn't take the model's
    first choice.
    """

    name = "xtc"
    place = "exclusions"
    invariances = frozenset({"shift"})
    conflicts: ClassVar[Mapping[str, str]] = {
        "beam": "a beam follows the most probable sequences, xtc takes away the most probable tokens at random"
    }

    probability: float = param(
        0.5, primary=True, min=0.0, max=1.0, neutral=0.0, help="how often it acts; 0 is never"
    )  # fmt: skip
    threshold: float = param(0.1, min=0.0, max=1.0, help="minimum probability of a candidate; above 0.5 nothing "
                                                         "happens")
    protect: tuple[int, ...] = param((), min=0, help="ids that are no candidates, besides the stop token")

    def is_neutral(self) -> bool:
        """At probability 0, and where no two tokens can reach the threshold."""
        return self.probability == 0 or self.threshold > 0.5

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .xtc import XtcTransform

        return XtcTransform(self.probability, self.threshold, self.protect)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The sampler of this package."""
    return [Xtc]
