"""The work of `cfg`."""

from __future__ import annotations

import torch
from torch import Tensor

from vall_e_core import UsageError
from vall_e_core.sampling import StatelessTransform, Step

NEVER = float("-inf")
HIGHEST = 1e30
"""No logit gets larger than this, nor smaller than its negative."""


class CfgTransform(StatelessTransform):
    """A token that either side rules out keeps its own logit and counts for no spread."""

    def __init__(self, strength: float, rescale: float) -> None:
        self.strength, self.rescale = strength, rescale

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]. Raises UsageError where the model wasn't also run without its conditions."""
        null = step.unconditional_logits
        if null is None:
            raise UsageError("cfg can't work here: the model isn't run without text and voice beside")
        if self.strength in (0.0, 1.0):
            return logits
        null = null.to(logits.dtype)
        both = (logits > NEVER) & (null.abs() < float("inf"))
        given, null = torch.where(both, logits, 0.0), torch.where(both, null, 0.0)
        guided = null + self.strength * (given - null)
        if self.rescale > 0:
            old, new = _spread(given, both), _spread(guided, both)
            ratio = torch.where(new > 0, old / new.clamp(min=1e-30), 1.0)
            guided = guided * (self.rescale * ratio + 1.0 - self.rescale)
        return torch.where(both, guided.clamp(-HIGHEST, HIGHEST), logits)


def _spread(logits: Tensor, counted: Tensor) -> Tensor:
    """The standard deviation [N, 1] of the counted logits [N, V]."""
    count = counted.sum(-1, keepdim=True).clamp(min=1)
    mean = torch.where(counted, logits, 0.0).sum(-1, keepdim=True) / count
    return (torch.where(counted, logits - mean, 0.0).square().sum(-1, keepdim=True) / count).sqrt()
