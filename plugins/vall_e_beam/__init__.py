"""`beam`: several hypotheses side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Search


@dataclass(frozen=True)
class Beam(Sampler):
    """Follow the most probable sequences, `width` of them side by side, instead of drawing tokens.

    The score of a hypothesis is the sum of its tokens' log-probabilities (after the chain and the selector's
    truncation, with the stop token) divided by its length to the power of `length_penalty`. The best candidates of
    each step continue. A hypothesis whose stop token is among the best `width` is complete, and the best complete
    one keeps its row. If filters left fewer than `width` ways to continue, the stop token must be among that many,
    so nothing ends because nothing else was left. The result is the best of all, complete or cut off at the limit.

    The search of an utterance ends once `width` hypotheses are complete and none that continues is ahead of the best
    of them, or with `early_stop` as soon as they are complete (transformers' `early_stopping`, false and true).
    Width 1 is greedy. Nothing is drawn: the seed has no effect unless a member of the chain draws.
    """

    name = "beam"
    role = "search"
    place = "search"
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "all frames are decided at once, so there are no steps to search",
        "len": "a length has too few digits",
    }

    width: int = param(
        4, primary=True, min=0, neutral=0, help="how many hypotheses of each utterance are followed; 0 switches it off",
        flags=(Flag("--beam-width", help="number of hypotheses of a beam search; 0 is off"),),
    )  # fmt: skip
    length_penalty: float = param(
        1.0, min=-10.0, max=10.0,
        help="exponent of the length that sums are divided by; 0 compares plain sums, below 0 favors short results",
    )  # fmt: skip
    early_stop: bool = param(False, help="end as soon as `width` hypotheses are complete")

    def build(self, ctx: BuildContext) -> Search:
        """Return the search."""
        from .search import BeamSearch

        return BeamSearch(max(1, self.width), self.length_penalty, early_stop=self.early_stop)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Beam]
