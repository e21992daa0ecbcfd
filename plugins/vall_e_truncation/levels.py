"""Filters that compare each logit with a level: `top-n-sigma`, `top-a`, `epsilon`, `eta`. None of them sorts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step

from .filters import NEVER

FARTHEST = -1e15
"""Below the maximum; its square still has room in a sum."""


class TopNSigmaTransform(StatelessTransform):
    """x >= max - n σ, with σ over the logits that are left; measured from the maximum, where float32 is finest."""

    def __init__(self, n: float) -> None:
        self.n = n

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.n <= 0:
            return logits
        left = logits > NEVER
        below = torch.where(left, logits - logits.amax(-1, keepdim=True), 0.0).clamp(min=FARTHEST)
        count = left.sum(-1, keepdim=True).clamp(min=1)
        mean = below.sum(-1, keepdim=True) / count
        variance = torch.where(left, (below - mean).square(), 0.0).sum(-1, keepdim=True) / count
        return torch.where(left & (below >= -self.n * variance.sqrt()), logits, NEVER)


class TopATransform(StatelessTransform):
    """In logarithms: ln p >= ln a + 2 ln p_max."""

    def __init__(self, a: float) -> None:
        self.reach = math.log(a) if a > 0 else NEVER

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.reach == NEVER:
            return logits
        highest, total = logits.amax(-1, keepdim=True), logits.logsumexp(-1, keepdim=True)
        level = highest + (highest - total) + self.reach
        return torch.where((logits >= level) | (logits == highest), logits, NEVER)


class EpsilonTransform(StatelessTransform):
    """In logarithms: ln p >= ln ε."""

    def __init__(self, epsilon: float) -> None:
        self.least = math.log(epsilon) if epsilon > 0 else NEVER

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.least == NEVER:
            return logits
        level = logits.logsumexp(-1, keepdim=True) + self.least
        return torch.where((logits >= level) | (logits == logits.amax(-1, keepdim=True)), logits, NEVER)


class EtaTransform(StatelessTransform):
    """In logarithms: ln p >= min(ln ε, ½ ln ε - H)."""

    def __init__(self, epsilon: float) -> None:
        self.least = math.log(epsilon) if epsilon > 0 else NEVER

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.least == NEVER:
            return logits
        entropy = torch.special.entr(torch.softmax(logits, -1)).sum(-1, keepdim=True)
        level = logits.logsumexp(-1, keepdim=True) + (0.5 * self.least - entropy).clamp(max=self.least)
        return torch.where((logits >= level) | (logits == logits.amax(-1, keepdim=True)), logits, NEVER)
