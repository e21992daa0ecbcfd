"""Penalties: `repetition-penalty`, `frequency-presence` and `length-penalty`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from vall_e_core import BuildContext, Flag, Sampler, hookimpl, param

if TYPE_CHECKING:
    from typing_extensions import Self

    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class RepetitionPenalty(Sampler):
    """Lower the logits of tokens that were already chosen: x / θ where x > 0, else x · θ.

    Keskar et al., "CTRL" (arXiv 1909.05858), with the sign rule that makes it a penalty for any sign. At distance d
    (1 is the last token) the strength θ is 1 + (penalty - 1) · d^-decay; a token that occurs several times counts
    once, at its strongest occurrence, which is the latest one. Only what was generated is looked at, never the
    reference's codes.
    """

    name = "repetition-penalty"
    place = "penalties"
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "tokens that are decided in parallel have no history",
        "len": "a length has too few digits",
    }
    removes = False

    penalty: float = param(
        1.2, primary=True, min=1e-30, max=1e30, neutral=1.0,  # float32 holds a logit divided by either
        help="strength; 1 changes nothing, below 1 rewards",
        flags=(Flag("--repetition-penalty", help="AR: lower the score of tokens already used; 1 is off"),),
    )  # fmt: skip
    decay: float = param(
        0.0, min=0.0, help="how fast the strength falls with distance; 0 keeps it",
        flags=(Flag("--repetition-penalty-decay", help="AR: weaken the repetition penalty with distance; 0 is off"),),
    )  # fmt: skip
    window: int = param(75, min=-1, help="how many of the last tokens count; -1 counts all", unit="tokens")

    def is_neutral(self) -> bool:
        """At a strength of 1, or with an empty window."""
        return self.penalty == 1.0 or self.window == 0

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """On where a strength is given."""
        return super().from_flags(flags, stage) if "repetition-penalty" in flags else None

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .repetition import RepetitionPenaltyTransform

        return RepetitionPenaltyTransform(self.penalty, self.decay, self.window)


@dataclass(frozen=True)
class FrequencyPresence(Sampler):
    """Lower the logits of tokens that were already chosen, by their count: x - frequency · count - presence.

    The penalties of OpenAI's interface, as in llama.cpp. Below 0 they reward.
    """

    name = "frequency-presence"
    place = "penalties"
    after = ("repetition-penalty",)
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = RepetitionPenalty.stage_reasons
    removes = False
    invariances = frozenset({"shift"})

    frequency: float = param(0.2, primary=True, neutral=0.0, help="penalty for each time that the token was chosen")
    presence: float = param(0.0, neutral=0.0, help="penalty for a token that was chosen at all")
    window: int = param(75, min=-1, help="how many of the last tokens count; -1 counts all", unit="tokens")

    def is_neutral(self) -> bool:
        """Where both are 0, or with an empty window."""
        return self.frequency == self.presence == 0.0 or self.window == 0

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .frequency import FrequencyPresenceTransform

        return FrequencyPresenceTransform(self.frequency, self.presence, self.window)


@dataclass(frozen=True)
class LengthPenalty(Sampler):
    """Change the stop token's logit x with the length so far, counted from `start`.

    - `log`: x - factor · ln(length). A positive factor makes the result longer, a negative one shorter.
    - `power`: x / length^factor where x > 0, else x · length^factor, so that a positive factor always lengthens.
    - `exponential`: x + |x| · (factor^length - 1), as transformers' exponential decay; a factor above 1 shortens.
    """

    name = "length-penalty"
    place = "penalties"
    after = ("repetition-penalty", "frequency-presence", "dry", "no-repeat-ngram")
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "the levels have no stop token",
        "len": "a length has too few digits",
    }
    removes = False

    factor: float = param(
        0.5, primary=True, help="strength; 0 changes nothing, for exponential 1",
        flags=(Flag("--length-penalty", help="AR: change the stop token's score with the length; above 0 lengthens"),),
    )  # fmt: skip
    mode: Literal["log", "power", "exponential"] = param("log", help="the formula")
    start: int = param(0, min=0, help="the length from which to count", unit="tokens")

    def check(self) -> None:
        """The base of an exponential is positive."""
        if self.mode == "exponential" and self.factor <= 0:
            raise ValueError(f"factor must be above 0 in mode exponential, not {self.factor:g}")

    def is_neutral(self) -> bool:
        """At factor 0, for mode exponential 1."""
        return self.factor == (1.0 if self.mode == "exponential" else 0.0)

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .length import LengthPenaltyTransform

        return LengthPenaltyTransform(self.factor, self.mode, self.start)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [RepetitionPenalty, FrequencyPresence, LengthPenalty]
