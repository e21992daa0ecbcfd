"""The work of `top-k`, `top-p` and `min-p`. All keep the values of what they keep."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import (
    StatelessTransform,
    Step,
    cumulated_row,
    descending,
    descending_row,
    highest,
    highest_row,
)

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

    def kept_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.int64]:
        """The ids [k] of one row [V]."""
        return highest_row(logits, min(self.k, logits.size) if self.k > 0 else logits.size)

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        """One row [V] -> [V]."""
        if self.k == 0 or self.k >= logits.size:
            return logits
        ids, made = highest_row(logits, self.k), np.full_like(logits, NEVER)
        made[ids] = logits[ids]
        return made


class TopPTransform(StatelessTransform):
    """In order, the lowest ids first among equals."""

    def __init__(self, p: float) -> None:
        self.p, self.level, self.least = p, torch.tensor(p), np.float32(p)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p >= 1:
            return logits
        ordered, ids = descending(logits)
        reached = torch.softmax(ordered, -1).cumsum_(-1)
        ordered[:, 1:].masked_fill_(reached[:, :-1] >= self.level, NEVER)
        return torch.empty_like(logits).scatter_(1, ids, ordered)

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        """One row [V] -> [V]."""
        if self.p >= 1:
            return logits
        ids, made = descending_row(logits), logits.copy()
        reached = cumulated_row(logits.take(ids))
        made[ids[1 + reached[:-1].searchsorted(self.least) :]] = NEVER
        return made


class MinPTransform(StatelessTransform):
    """In logits: x >= max + ln p. No softmax, no sort."""

    def __init__(self, p: float) -> None:
        self.p, self.level = p, np.float32(math.log(p) if p > 0 else NEVER)
        self.reach = torch.tensor(self.level)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p <= 0:
            return logits
        return logits.masked_fill(logits < logits.amax(-1, keepdim=True).add_(self.reach), NEVER)

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        """One row [V] -> [V]."""
        if self.p <= 0:
            return logits
        made = logits.copy()
        made[logits < logits.max() + self.level] = NEVER
        return made
