"""What the user asks for outright: `logit-bias`, `suppress`, `min-length`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, UsageError, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform



def _check_ids(sampler: Sampler, ids: Iterable[int], ctx: BuildContext) -> None:
    """Ids are those of the model. The NAR levels lack the stop token; its id is right for a chain of both passes."""
    if ctx.vocab_size is None:
        return
    size = ctx.vocab_size + (ctx.stage == "nar")
    beyond = [each for each in ids if each >= size]
    if beyond:
        raise UsageError(f"{sampler.name}: the model has no id {beyond[0]}; its ids end at {size - 1}")


@dataclass(frozen=True)
class LogitBias(Sampler):
    """Add a number to the logits of some ids; -inf removes them, the stop token too."""

    name = "logit-bias"
    place = "bans"
    prepares = True
    bans = True
    invariances = frozenset({"shift"})

    bias: Mapping[int, float] = param(
        primary=True, min=-math.inf, neutral={}, help="the number to add to each id's logit"
    )  # fmt: skip

    def check(self) -> None:
        """Ids start at 0."""
        for token in self.bias:
            if token < 0:
                raise ValueError(f"bias: ids start at 0, found {token}")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform. Raises UsageError for an id that the model lacks."""
        from .bias import BiasTransform

        _check_ids(self, self.bias, ctx)
        return BiasTransform(dict(self.bias))


@dataclass(frozen=True)
class Suppress(Sampler):
    """Never choose some ids, even the stop token."""

    name = "suppress"
    place = "bans"
    prepares = True
    bans = True
    invariances = frozenset({"shift"})

    ids: tuple[int, ...] = param(primary=True, min=0, neutral=(), help="the ids to remove")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform. Raises UsageError for an id that the model lacks."""
        from .bias import BiasTransform

        _check_ids(self, self.ids, ctx)
        return BiasTransform(dict.fromkeys(self.ids, -math.inf))


@dataclass(frozen=True)
class MinLength(Sampler):
    """Remove the stop token until the result has a minimum length. A given prefix counts."""

    name = "min-length"
    place = "bans"
    prepares = True
    stages = frozenset({"ar"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "the levels have no stop token: they are as long as the first",
        "stt": "a transcription's tokens have no duration",
        "len": "a length's digits have no duration",
    }
    bans = True
    invariances = frozenset({"shift"})

    seconds: float = param(primary=True, min=0.0, neutral=0.0, help="minimum length; 0 is off", unit="s")

    def least_seconds(self) -> float:
        """As given."""
        return self.seconds

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform."""
        from .length import MinLengthTransform

        return MinLengthTransform(self.seconds)


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [LogitBias, Suppress, MinLength]
