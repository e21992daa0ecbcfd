"""The work of `temperature`."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step, take_maximum


class TemperatureTransform(StatelessTransform):
    """Logits / t; at t = 0 all but the maximum get out of reach: -inf but for the first of the highest."""

    def __init__(self, t: float) -> None:
        self.t, self.number = t, np.float32(t)
        self.divisor = torch.tensor(t)  # a number in a tensor saves a conversion at each use

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.t > 0:
            return logits / self.divisor
        best = take_maximum(logits).unsqueeze(1)
        return torch.full_like(logits, float("-inf")).scatter(1, best, logits.gather(1, best))

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        """One row [V] -> [V]."""
        if self.t > 0:
            return logits / self.number
        best, made = logits.argmax(), np.full_like(logits, float("-inf"))
        made[best] = logits[best]
        return made
