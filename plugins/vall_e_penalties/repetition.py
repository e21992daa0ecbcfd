"""The work of `repetition-penalty`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step, recent


class RepetitionPenaltyTransform(StatelessTransform):
    """A scatter of strengths over the vocabulary, then the sign rule."""

    def __init__(self, penalty: float, decay: float, window: int) -> None:
        self.penalty, self.decay, self.window = penalty, decay, window

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        rows, vocab = logits.shape
        ids, _ = recent(step, self.window, vocab)
        if ids.shape[1] == 0:
            return logits
        if self.decay == 0:
            strength = logits.new_ones(rows, vocab + 1).scatter_(1, ids, self.penalty)[:, :vocab]
        else:
            ages = torch.arange(1, ids.shape[1] + 1, device=ids.device, dtype=logits.dtype).expand_as(ids)
            latest = logits.new_full((rows, vocab + 1), float("inf"))
            latest = latest.scatter_reduce(1, ids, ages, "amin")[:, :vocab]
            faded = 1.0 + (self.penalty - 1.0) * latest.pow(-self.decay)
            strength = torch.where(latest < float("inf"), faded, 1.0)
        return torch.where(logits > 0, logits / strength, logits * strength)
