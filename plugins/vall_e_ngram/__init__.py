"""`no-repeat-ngram`: no sequence of n tokens comes twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class NoRepeatNgram(Sampler):
    """Remove every token that would complete a sequence of n tokens that was generated before.

    Paulus et al., "A Deep Reinforced Model for Abstractive Summarization" (arXiv 1705.04304), as in transformers.
    Where every token would, nothing is removed.
    """

    name = "no-repeat-ngram"
    place = "penalties"
    after = ("repetition-penalty", "frequency-presence", "dry")
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "tokens that are decided in parallel have no order in which they could repeat",
        "len": "a length has too few digits",
    }
    invariances = frozenset({"shift"})

    n: int = param(8, primary=True, min=0, neutral=0, help="length of the sequences; 0 is off", unit="tokens")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .ngram import NoRepeatNgramTransform

        return NoRepeatNgramTransform(self.n)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The sampler of this package."""
    return [NoRepeatNgram]
