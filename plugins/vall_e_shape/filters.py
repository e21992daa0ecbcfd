"""The work of `p-less`, `min-k` and `p-step`, on logits [N, V]."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from vall_e_core.sampling import StatelessTransform, Step, descending

NEVER = float("-inf")


class PLessTransform(StatelessTransform):
    """Keeps p >= sum(p²), the probability that two draws agree; normalized, p >= (n·sum(p²) - 1) / (n - 1)."""

    def __init__(self, normalized: bool) -> None:
        self.normalized = normalized

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] float32 -> [N, V]."""
        probabilities = logits.softmax(dim=-1)
        threshold = probabilities.square().sum(dim=-1, keepdim=True)
        if self.normalized:
            count = (logits > NEVER).sum(dim=-1, keepdim=True).float()
            threshold = (count * threshold - 1) / (count - 1).clamp(min=1)
        # sum(p²) never exceeds max(p), but its rounded value may
        threshold = torch.minimum(threshold, probabilities.amax(dim=-1, keepdim=True))
        return torch.where(probabilities >= threshold, logits, NEVER)


class MinKTransform(StatelessTransform):
    """Keeps what lies above the largest drop of the sorted logits, a drop behind rank i counting 1/i."""

    def __init__(self, tau: float) -> None:
        self.tau = tau

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] float32 -> [N, V]."""
        ranked, order = descending(logits)
        left = ranked > NEVER
        lowest = torch.where(left, ranked, float("inf")).amin(dim=-1, keepdim=True)
        spread = (ranked[:, :1] - lowest).nan_to_num(0.0)
        ranks = torch.arange(1, logits.shape[-1] + 1, device=logits.device)
        drops = (ranked[:, :-1] - ranked[:, 1:]) / ranks[:-1]
        drops = torch.where(left[:, 1:], drops, -1.0)
        cliff = pad(drops, (0, 1), value=-0.5).argmax(dim=-1, keepdim=True) + 1
        fallback = torch.where(spread > 0, (self.tau / spread).floor(), float("inf") if self.tau else 0.0)
        kept = ranks <= torch.maximum(cliff, fallback)
        return torch.full_like(logits, NEVER).scatter(1, order, torch.where(kept, ranked, NEVER))


class PStepTransform(StatelessTransform):
    """Keeps what comes before the first token that is less than p times as probable as the one before it."""

    def __init__(self, p: float) -> None:
        self.p = p

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] float32 -> [N, V]."""
        if self.p == 0:
            return logits
        ranked, order = descending(logits)
        steps = ranked[:, 1:] < ranked[:, :-1] + math.log(self.p)
        before = pad(steps.cumsum(dim=-1), (1, 0)) == 0
        return torch.full_like(logits, NEVER).scatter(1, order, torch.where(before, ranked, NEVER))

