"""The work of `frequency-presence`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step, recent

HIGHEST = 1e30
"""No logit gets larger than this, nor smaller than its negative."""


class FrequencyPresenceTransform(StatelessTransform):
    """Counts in one scatter."""

    def __init__(self, frequency: float, presence: float, window: int) -> None:
        self.frequency, self.presence = (max(-HIGHEST, min(each, HIGHEST)) for each in (frequency, presence))
        self.window = window

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        ids, valid = recent(step, self.window, logits.shape[-1])
        if ids.shape[1] == 0:
            return logits
        count = torch.zeros_like(logits).scatter_add(1, ids, valid.to(logits.dtype))
        lower = logits - self.frequency * count - self.presence * (count > 0)
        return torch.where((logits > float("-inf")) & (count > 0), lower.clamp(-HIGHEST, HIGHEST), logits)
