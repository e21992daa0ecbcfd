"""`dry`: a penalty for going on with a repetition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class Dry(Sampler):
    """Lower the logits of tokens that would continue a repetition: x - multiplier · base^(length - allowed_length).

    "Don't repeat yourself" (p-e-w, text-generation-webui). `length` is the number of tokens at the end of the
    history that already occurred, in the same order, before this token. Among several places, the longest counts.
    Matches shorter than `allowed_length` are left alone. A breaker ends every match and is never penalized. A
    sequence of breakers also ends a match once it is complete (llama.cpp), but its ids are penalized like any other.
    The exponent stops growing where base^exponent would exceed float32 (llama.cpp).
    """

    name = "dry"
    place = "penalties"
    after = ("repetition-penalty", "frequency-presence")
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "tokens that are decided in parallel have no order in which they could repeat",
        "len": "a length has too few digits",
    }
    removes = False
    invariances = frozenset({"shift"})

    multiplier: float = param(
        0.8, primary=True, neutral=0.0, help="strength; 0 changes nothing",
        flags=(Flag("--dry-multiplier", help="AR: lower the score of tokens that continue a repetition; 0 is off"),),
    )  # fmt: skip
    base: float = param(
        1.75, min=0.0, exclusive_min=True, help="factor of the penalty for each further token of the match",
        flags=(Flag("--dry-base", help="AR: growth of the DRY penalty with each repeated token"),),
    )  # fmt: skip
    allowed_length: int = param(
        2, min=0, help="the longest match without a growing penalty; shorter ones are free", unit="tokens",
        flags=(Flag("--dry-allowed-length", help="AR: shorter repetitions get no DRY penalty"),),
    )  # fmt: skip
    range: int = param(0, min=-1, help="how many of the last tokens are searched; 0 and -1 search all", unit="tokens")
    max_match: int = param(50, min=0, help="longer matches count as this long; 0 sets no limit", unit="tokens")
    breakers: tuple[int, ...] = param((), min=0, help="ids that end a match")
    sequences: tuple[str, ...] = param((), help="runs of ids that end a match as a whole: 3-7 is 3 and then 7")

    def check(self) -> None:
        """Raises ValueError for what is no run of ids."""
        for each in self.sequences:
            if not all(part.isdecimal() for part in each.split("-")):
                raise ValueError(f"sequences: {each!r} isn't a run of ids, such as 3-7")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .dry import DryTransform

        return DryTransform(
            self.multiplier, self.base, self.allowed_length, self.range, self.max_match, self.breakers,
            tuple(tuple(map(int, each.split("-"))) for each in self.sequences),
        )  # fmt: skip


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The sampler of this package."""
    return [Dry]
