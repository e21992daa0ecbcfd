"""The work of `quadratic`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step

FARTHEST, LOWEST = -1e9, -1e30
"""Distances and results are kept from falling below these, so that nothing overflows: they are far below any chance."""

MOST = 1e6
"""Larger parameters do the same as this."""


class QuadraticTransform(StatelessTransform):
    """max + f d² (s d - k)."""

    def __init__(self, factor: float, curve: float) -> None:
        curve = min(curve, MOST)
        self.factor, self.square, self.cube = min(factor, MOST), (3.0 - curve) / 2.0, (curve - 1.0) / 2.0

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.factor == 0:
            return logits
        highest = logits.amax(-1, keepdim=True)
        distance = (logits - highest).clamp(min=FARTHEST)
        bent = highest + self.factor * distance.square() * (self.cube * distance - self.square)
        return torch.where(logits > float("-inf"), bent.clamp(min=LOWEST), logits)
