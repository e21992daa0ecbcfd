"""The work of `top-k`, `top-p` and `min-p`. All keep the values of what they keep."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core import StatelessTransform, Step

NEVER = float("-inf")


class TopKTransform(StatelessTransform):
    """By one selection among integers that no two tokens share: the logit in the upper bits, the id in the lower."""

    def __init__(self, k: int) -> None:
        self.k = k

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.k == 0 or self.k >= logits.shape[-1]:
            return logits
        ids = _ranks(logits).topk(self.k, dim=-1, sorted=False).indices
        return torch.full_like(logits, NEVER).scatter_(1, ids, logits.gather(1, ids))


def _ranks(logits: Tensor) -> Tensor:
    """Integers [N, V] that order tokens by logit and, among equals, the lowest ids first.

    The bits of a float32, read as an integer, rise with its size; those of a negative one are turned round.
    """
    bits = (logits + 0.0).view(torch.int32)  # -0.0 becomes 0.0
    level = (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)
    backwards = torch.arange(logits.shape[-1] - 1, -1, -1, device=logits.device)
    return torch.add(backwards, level, alpha=1 << 31)


class TopPTransform(StatelessTransform):
    """In order, the lowest ids first among equals. Where `most` is given, no row holds more tokens."""

    def __init__(self, p: float, most: int | None = None) -> None:
        self.p, self.most = p, most

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p >= 1:
            return logits
        ordered, ids = _descending(logits, self.most)
        reached = torch.softmax(ordered, dim=-1).cumsum_(-1)
        ordered[:, 1:].masked_fill_(reached[:, :-1] >= self.p, NEVER)
        return torch.full_like(logits, NEVER).scatter_(1, ids, ordered)


def _descending(logits: Tensor, most: int | None) -> tuple[Tensor, Tensor]:
    """Logits in order and their ids, the lowest first among equals; [N, V], or the first `most`: others are -inf."""
    if most is None or most >= logits.shape[-1]:
        ordered, ids = logits.sort(dim=-1, descending=True, stable=True)
        return ordered, ids
    ids = _ranks(logits).topk(most, dim=-1, sorted=True).indices
    return logits.gather(1, ids), ids


class MinPTransform(StatelessTransform):
    """In logits: x >= max + ln p. No softmax, no sort."""

    def __init__(self, p: float) -> None:
        self.reach = math.log(p) if p > 0 else NEVER

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.reach == NEVER:
            return logits
        return logits.masked_fill(logits < logits.amax(-1, keepdim=True) + self.reach, NEVER)
