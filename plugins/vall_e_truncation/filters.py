"""The work of `top-k`, `top-p` and `min-p`. All keep the values of what they keep."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step, descending, highest

NEVER = float("-inf")


class TopKTransform(StatelessTransform):
    """By one selection; no sort."""

    def __init__(self, k: int) -> None:
        self.k = k

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.k == 0 or self.k >= logits.shape[-1]:
            return logits
        ids = highest(logits, self.k)
        return torch.full_like(logits, NEVER).scatter_(1, ids, logits.gather(1, ids))

    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """The ids [N, k] of what `apply` keeps of logits [N, V]."""
        size = logits.shape[-1]
        return highest(logits, min(self.k, size) if self.k > 0 else size)


class TopPTransform(StatelessTransform):
    """In order, the lowest ids first among equals."""

    def __init__(self, p: float) -> None:
        self.p, self.level = p, torch.tensor(p)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p >= 1:
            return logits
        ordered, ids = descending(logits)
        reached = torch.softmax(ordered, -1).cumsum_(-1)
        ordered[:, 1:].masked_fill_(reached[:, :-1] >= self.level, NEVER)
        return torch.empty_like(logits).scatter_(1, ids, ordered)


class MinPTransform(StatelessTransform):
    """In logits: x >= max + ln p. No softmax, no sort."""

    def __init__(self, p: float) -> None:
        self.p, self.reach = p, torch.tensor(math.log(p) if p > 0 else NEVER)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p <= 0:
            return logits
        return logits.masked_fill(logits < logits.amax(-1, keepdim=True).add_(self.reach), NEVER)
