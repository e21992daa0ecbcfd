"""The work of `repetition-penalty`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step, recent


class RepetitionPenaltyTransform(StatelessTransform):
    """Penalises every occurrence by itself and keeps the strongest for each token: in one scatter, order irrelevant."""

    def __init__(self, penalty: float, decay: float, window: int) -> None:
        self.penalty, self.decay, self.window = penalty, decay, window
        self.strongest = "amin" if penalty >= 1 else "amax"

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        ids, valid = recent(step, self.window, logits.shape[-1])
        if ids.shape[1] == 0:
            return logits
        found = logits.gather(1, ids)
        strength: float | Tensor = self.penalty
        if self.decay != 0:
            distance = torch.arange(1, ids.shape[1] + 1, device=ids.device, dtype=logits.dtype)
            strength = 1.0 + (self.penalty - 1.0) * distance.pow(-self.decay)
        stronger = torch.minimum if self.penalty >= 1 else torch.maximum
        changed = stronger(found / strength, found * strength)  # the sign rule
        changed = torch.where(valid, changed, found)
        return logits.clone().scatter_reduce_(1, ids, changed, self.strongest)
