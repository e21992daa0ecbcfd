"""The work of the `soft-cap` sampler."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core.sampling import Step


class SoftCapTransform:
    """cap · tanh(logits / cap); stateless, so one object serves any number of rows and runs."""

    def __init__(self, cap: float) -> None:
        self.cap = cap

    def init(self, rows: int, ctx: object) -> None:
        """No state."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] float32 -> [N, V]. Removed tokens (-inf) stay removed."""
        if self.cap == 0:
            return logits
        return torch.where(torch.isfinite(logits), self.cap * torch.tanh(logits / self.cap), logits)

    def accept(self, tokens: Tensor, step: Step, state: None) -> None:
        """Nothing to remember."""
