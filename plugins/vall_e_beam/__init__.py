"""`beam`: several hypotheses side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, ComponentError, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from typing_extensions import Self

    from vall_e_core import Search


@dataclass(frozen=True)
class Beam(Sampler):
    """Follow the most probable sequences, `width` of them side by side, instead of drawing tokens.

    A hypothesis is scored by the sum of its tokens' log-probabilities (as the chain leaves them, the selector's
    truncation included; the stop token counts) over its length to the power of `length_penalty`. Of each step's
    candidates the best go on; a hypothesis whose stop token is among the best `width` is complete, and the best
    complete one keeps its row. The result is the best of all, complete or cut off at the limit.

    The search of an utterance ends once `width` hypotheses were completed and none that goes on is ahead of the best of
    them, or with `early_stop` as soon as they were completed (transformers' `early_stopping`, false and true). Width 1
    is greedy. Nothing is drawn: the seed has no effect unless a member of the chain draws.
    """

    name = "beam"
    role = "search"
    order = 210
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "all frames are decided at once, so there are no steps to search",
        "len": "a length has too few digits",
    }
    conflicts: ClassVar[Mapping[str, str]] = {
        "xtc": "xtc removes the best tokens in some steps by lot, so hypotheses couldn't be compared",
    }

    width: int = param(
        4, primary=True, min=1, help="how many hypotheses of each utterance are followed",
        flags=(Flag("--beam-width", help="beam search with so many hypotheses; 0 is off"),),
    )  # fmt: skip
    length_penalty: float = param(
        1.0, min=0.0, max=10.0, help="exponent of the length that sums are divided by; 0 compares plain sums"
    )
    early_stop: bool = param(False, help="end as soon as `width` hypotheses are complete")

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """Off without `--beam-width`, and at 0."""
        width = flags.get("beam-width")
        if width is None:
            return None
        try:
            off = float(str(width)) == 0
        except ValueError as error:
            raise ComponentError(f"--beam-width: expected a whole number, found {width!r}") from error
        return None if off else super().from_flags(flags, stage)

    def build(self, ctx: BuildContext) -> Search:
        """Return the search."""
        from .search import BeamSearch

        return BeamSearch(self.width, self.length_penalty, early_stop=self.early_stop)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Beam]
