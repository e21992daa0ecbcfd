"""The work of `dynamic-temperature`. A row's temperature depends on that row alone."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step

LOWEST = 1e-4
"""Temperatures are kept from falling below this, so that no logit overflows."""


class ConfidenceTemperature(StatelessTransform):
    """Sigmoid of the best token's probability."""

    def __init__(self, low: float, high: float, steepness: float, center: float) -> None:
        self.low, self.high, self.steepness, self.center = low, high, steepness, center

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        top = (logits.amax(-1, keepdim=True) - logits.logsumexp(-1, keepdim=True)).exp()
        sure = torch.sigmoid(self.steepness * (top - self.center))
        return logits / (self.high - (self.high - self.low) * sure).clamp(min=LOWEST)


class EntropyTemperature(StatelessTransform):
    """Entropy relative to that of a uniform choice among the tokens that are left; one token left is certain."""

    def __init__(self, low: float, high: float, exponent: float) -> None:
        self.low, self.high, self.exponent = low, high, exponent

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        entropy = torch.special.entr(torch.softmax(logits, -1)).sum(-1, keepdim=True)
        choices = (logits > float("-inf")).sum(-1, keepdim=True).to(logits.dtype)
        share = (entropy / choices.clamp(min=2).log()).clamp(0.0, 1.0).pow(self.exponent)
        share = torch.where(choices > 1, share, 0.0)
        return logits / (self.low + (self.high - self.low) * share).clamp(min=LOWEST)
