"""Temperatures: `temperature` and `dynamic-temperature`; and a curve instead of a line, `quadratic`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vall_e_core import BuildContext, Flag, Sampler, UsageError, hookimpl, param

if TYPE_CHECKING:
    from typing_extensions import Self

    from vall_e_core.sampling import Transform

COOLER = 0.7
"""The temperature of another try of a bad take, as a share of the one asked for."""
LEAST, MOST = 1e-30, 1e30
"""Of a divisor: float32 holds what is divided by it."""


@dataclass(frozen=True)
class Temperature(Sampler):
    """Divide the logits by t: below 1 probable tokens become more probable, above 1 less; 0 takes the most probable."""

    name = "temperature"
    place = "temperature"
    sets_temperature = True
    removes = False
    invariances = frozenset({"argmax", "compact"})

    t: float = param(
        0.95, primary=True, min=0.0, max=MOST, neutral=1.0, help="the divisor; 1 changes nothing, 0 is greedy",
        flags=(
            Flag("--ar-temp", ("--ar-temperature",), help="temperature of the AR pass; 0 is greedy"),
            Flag("--nar-temp", ("--nar-temperature",), "nar", help="temperature of the NAR levels; 0 is greedy"),
        ),
    )  # fmt: skip

    def check(self) -> None:
        """What is divided by t stays within float32."""
        if 0 < self.t < LEAST:
            raise ValueError(f"t must be 0, which is greedy, or at least {LEAST:g}, not {self.t:g}")

    def takes_maximum(self) -> bool:
        """At 0."""
        return self.t == 0

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """None where a minimum makes the temperature dynamic, and at 0, which is another selector's work."""
        made = super().from_flags(flags, stage)
        side = cls.flag_stage(stage)
        return None if made is None or made.t == 0 or f"min-{side}-temp" in flags else made

    @classmethod
    def retry(cls, chain: Sequence[Sampler]) -> tuple[str, list[Sampler]]:
        """Cooler: the temperature lowered, or one set where there was none."""
        lowered = [cls(round(COOLER * each.t, 6)) if isinstance(each, cls) else each for each in chain]
        return "cooler", lowered if lowered != list(chain) else [*chain, cls(COOLER)]

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .temperature import TemperatureTransform

        return TemperatureTransform(self.t)


@dataclass(frozen=True)
class DynamicTemperature(Sampler):
    """A temperature between min and max, depending on how sure the model is at each step.

    In mode `confidence`, T = max - (max - min) / (1 + exp(-k (p - center))) with p the probability of the best token:
    sure steps get the minimum. In mode `entropy`, T = min + (max - min) (H / ln n)^exponent with H the entropy of the
    n tokens left (kalomaze, koboldcpp).
    """

    name = "dynamic-temperature"
    place = "temperature"
    sets_temperature = True
    removes = False
    invariances = frozenset({"argmax", "compact"})

    mode: Literal["confidence", "entropy"] = param("confidence", help="how certainty is measured")
    min: float = param(
        0.5, min=0.0, help="the temperature if the model is sure",
        flags=(
            Flag("--min-ar-temp", ("--min-ar-temperature",),
                 help="dynamic AR temperature: this if the model is sure, up to --ar-temp if it isn't"),
            Flag("--min-nar-temp", ("--min-nar-temperature",), "nar",
                 help="dynamic NAR temperature: this if the model is sure, up to --nar-temp if it isn't"),
        ),
    )  # fmt: skip
    max: float = param(1.0, min=LEAST, max=MOST, help="the temperature if the model is unsure")
    exponent: float = param(1.0, min=0.0, help="entropy mode: above 1 it stays near min for longer")
    k: float = param(10.0, help="confidence mode: steepness of the change")
    center: float = param(0.5, help="confidence mode: the probability of the best token halfway between min and max")

    def check(self) -> None:
        """The minimum must not exceed the maximum."""
        if self.min > self.max:
            raise ValueError(f"min must be at most max, not {self.min:g} with max {self.max:g}")

    def is_neutral(self) -> bool:
        """Where both ends are 1."""
        return self.min == self.max == 1.0

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """On where a minimum is given; the maximum is the stage's temperature."""
        side = cls.flag_stage(stage)
        low, high = f"min-{side}-temp", f"{side}-temp"
        if low not in flags:
            return None
        made = cls.from_mapping({"min": flags[low], "max": max(float(str(flags[low])), 1e-9)})
        top = Temperature.from_mapping({"t": flags[high]} if high in flags else {}).t
        if made.min >= top:
            raise UsageError(
                f"--{low} must be below --{high}, not {made.min:g} with {top:g}",
                cause="0 is greedy: there is no range" if top == 0 else None,
            )
        return cls.from_mapping({"min": made.min, "max": top})

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .dynamic import ConfidenceTemperature, EntropyTemperature

        if self.mode == "entropy":
            return EntropyTemperature(self.min, self.max, self.exponent)
        return ConfidenceTemperature(self.min, self.max, self.k, self.center)


@dataclass(frozen=True)
class Quadratic(Sampler):
    """Bend the logits by their distance d from the highest one: max - k f d² + s f d³ (smoothing).

    kalomaze, text-generation-webui: f is the factor, k = (3 - curve) / 2 and s = (curve - 1) / 2. Near the top the
    logits come closer together, far from it they fall faster. A curve above 1 makes the fall steeper still; above 3
    the tokens next to the best one overtake it.
    """

    name = "quadratic"
    place = "temperature"
    after = ("temperature", "dynamic-temperature")
    removes = False
    invariances = frozenset({"shift", "compact"})

    factor: float = param(0.3, primary=True, min=0.0, neutral=0.0, help="strength of the bend; 0 changes nothing")
    curve: float = param(1.0, min=1.0, help="1 is a parabola, above 1 mixes in a cubic")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .quadratic import QuadraticTransform

        return QuadraticTransform(self.factor, self.curve)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [Temperature, DynamicTemperature, Quadratic]
