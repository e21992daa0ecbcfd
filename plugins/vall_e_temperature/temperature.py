"""The work of `temperature`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step, take_maximum


class TemperatureTransform(StatelessTransform):
    """Logits / t; at t = 0 all but the maximum get out of reach: -inf but for the first of the highest."""

    def __init__(self, t: float) -> None:
        self.t, self.divisor = t, torch.tensor(t)  # a number in a tensor saves a conversion at each use

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.t > 0:
            return logits / self.divisor
        best = take_maximum(logits).unsqueeze(1)
        return torch.full_like(logits, float("-inf")).scatter(1, best, logits.gather(1, best))
