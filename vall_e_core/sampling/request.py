"""What somebody asks of one stage's chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..kinds import Sampler


@dataclass(frozen=True)
class ChainRequest:
    """What was said about one stage: an explicit chain, or plain flags (`{"top-p": 0.9}`), or neither."""

    explicit: tuple[Sampler, ...] | None = None
    flags: Mapping[str, object] = field(default_factory=dict)

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return self.explicit is not None or bool(self.flags)
