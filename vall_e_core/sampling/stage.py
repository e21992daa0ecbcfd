"""One transform's place in a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .guard import Maker
from .protocols import Narrowing, Transform


@dataclass(frozen=True)
class Stage:
    """A transform, its name, and what the chain must know about it."""

    name: str
    transform: Transform
    bans: bool = False
    """It may remove the stop token: that is what the user asked for (minimum length, suppressed ids)."""
    removes: bool = True
    """It may remove tokens at all."""
    prepares: bool = False
    """Guidance and bans: the logits after it are what the model is taken to have said."""
    compact: bool = False
    """It sees nothing but what is left (see `Sampler.invariances`)."""
    maker: Maker | None = None
    """Who is to blame for what it does; None: nobody knows more than its name."""

    @property
    def blamed(self) -> Maker:
        """The same, whether or not more is known."""
        return Maker(self.name) if self.maker is None else self.maker

    @property
    def protects(self) -> bool:
        """Whether the stop token outlives it."""
        return self.removes and not self.bans


def narrowing(stages: Sequence[Stage], compact_selector: bool) -> dict[int, Narrowing]:
    """The places behind which few tokens are left, and something sees nothing but those, with their transforms."""
    follows = [*(each.compact for each in stages[1:]), compact_selector]
    return {
        at: each.transform for at, each in enumerate(stages) if follows[at] and isinstance(each.transform, Narrowing)
    }  # fmt: skip


def foreign(stages: Sequence[Stage]) -> tuple[int, ...]:
    """The places of third parties' stages."""
    return tuple(at for at, each in enumerate(stages) if each.blamed.foreign)
