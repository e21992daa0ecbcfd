"""What changes while a chain runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from . import state as states
from .candidates import Candidates
from .guard import Watch


@dataclass
class ChainState:
    """Everything that changes while a chain runs; one row of every tensor for each row of the batch."""

    stages: list[Any]
    selector: Any
    search: Any
    degenerate: Tensor
    """How many steps of each row [N] needed the fallback, or came with NaN or +inf."""
    rescued: Tensor
    """How many steps of each row [N] had only the stop token left."""
    faults: Tensor
    """What members of the chain did wrong in each row [N], as bits; on a CPU that is raised instead."""
    logits: Tensor | Candidates | None = field(default=None, repr=False)
    """What `process` or `choose` made last [N, V], for a selector that remembers; `accept` hands it over."""
    watch: Watch = field(default_factory=Watch, repr=False, compare=False)

    def select(self, rows: Tensor) -> ChainState:
        """The state of rows [M]: finished rows dropped, or each hypothesis continuing its parent."""
        return states.select(self, rows)

    def snapshot(self) -> ChainState:
        """A copy to roll back to."""
        return states.snapshot(self)

    def counts(self) -> dict[str, list[int]]:
        """What went wrong, per row. Waits for the device: call it once, at the end."""
        return {"degenerate": self.degenerate.tolist(), "rescued": self.rescued.tolist()}
