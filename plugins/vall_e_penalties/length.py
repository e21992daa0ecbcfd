"""The work of `length-penalty`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step

HIGHEST = 1e30
"""Where a logit that grows exponentially stays."""


class LengthPenaltyTransform(StatelessTransform):
    """Touches one column: the stop token's."""

    def __init__(self, factor: float, mode: str, start: int) -> None:
        self.factor, self.mode, self.start = factor, mode, min(start, 2**31 - 1)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        stop = step.stop_token
        if stop is None or not 0 <= stop < logits.shape[-1]:
            return logits
        length = (step.lengths - self.start).to(logits.dtype)
        score = logits[:, stop]
        if self.mode == "exponential":
            growth = (length.clamp(min=0) * math.log(self.factor)).exp().clamp(max=HIGHEST)
            changed = score + score.abs() * (growth - 1)
        elif self.mode == "power":
            scale = length.clamp(min=1).pow(self.factor)
            changed = torch.where(score > 0, score / scale, score * scale)
        else:
            changed = score - self.factor * length.clamp(min=1).log()
        changed = torch.where(score > float("-inf"), changed.clamp(-HIGHEST, HIGHEST), score)
        return torch.cat([logits[:, :stop], changed.unsqueeze(1), logits[:, stop + 1 :]], dim=1)
