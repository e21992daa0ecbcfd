"""The work of `top-k`, `top-p` and `min-p`. All keep the values of what they keep."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step

NEVER = float("-inf")


class TopKTransform(StatelessTransform):
    """By one selection of the k-th largest; among tokens equal to it the lowest ids fill the places left."""

    def __init__(self, k: int) -> None:
        self.k = k

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.k == 0 or self.k >= logits.shape[-1]:
            return logits
        last = logits.topk(self.k, dim=-1, sorted=True).values[:, -1:]
        above, equal = logits > last, logits == last
        places = self.k - above.sum(-1, keepdim=True)
        kept = above | (equal & (equal.cumsum(-1) <= places))
        return torch.where(kept, logits, NEVER)


class TopPTransform(StatelessTransform):
    """By one stable sort, so that the lowest ids come first among equals."""

    def __init__(self, p: float) -> None:
        self.p = p

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p >= 1:
            return logits
        ordered, ids = logits.sort(dim=-1, descending=True, stable=True)
        reached = torch.softmax(ordered, dim=-1).cumsum(-1)
        short = torch.nn.functional.pad(reached[:, :-1] < self.p, (1, 0), value=True)
        return torch.full_like(logits, NEVER).scatter(1, ids, torch.where(short, ordered, NEVER))


class MinPTransform(StatelessTransform):
    """In logits: x >= max + ln p. No softmax, no sort."""

    def __init__(self, p: float) -> None:
        self.reach = math.log(p) if p > 0 else NEVER

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.reach == NEVER:
            return logits
        return torch.where(logits >= logits.amax(-1, keepdim=True) + self.reach, logits, NEVER)
