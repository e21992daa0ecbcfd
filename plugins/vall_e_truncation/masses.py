"""Filters that add something up along an order: `typical-p`, `tfs`, `top-h`. Lowest ids come first among equals."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from vall_e_core.sampling import StatelessTransform, Step, descending

from .filters import NEVER


class TypicalTransform(StatelessTransform):
    """One stable sort by |-ln p - H|; a removed token is infinitely far away."""

    def __init__(self, p: float) -> None:
        self.p = p

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.p >= 1:
            return logits
        information = logits.logsumexp(-1, keepdim=True) - logits
        probabilities = (-information).exp()
        entropy = torch.special.entr(probabilities).sum(-1, keepdim=True)
        _, ids = descending((information - entropy).abs_().neg_())
        reached = probabilities.gather(1, ids).cumsum(-1)
        short = pad(reached[:, :-1] < self.p, (1, 0), value=True)
        return torch.full_like(logits, NEVER).scatter(1, ids, torch.where(short, logits.gather(1, ids), NEVER))


class TailFreeTransform(StatelessTransform):
    """The second difference around a token is that token's; the first token has none and stays, the last has none."""

    def __init__(self, z: float) -> None:
        self.z = z

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.z >= 1 or logits.shape[-1] < 3:
            return logits
        ordered, ids = descending(logits)
        bend = torch.softmax(ordered, dim=-1).diff(n=2, dim=-1).abs()
        total = bend.sum(-1, keepdim=True)
        within = bend.cumsum(-1) <= self.z * total
        few = ordered[:, 2:3] == NEVER  # two tokens have no bend (llama.cpp)
        kept = pad(pad(within, (1, 0), value=True), (0, 1), value=False) | (total == 0) | few
        return torch.full_like(logits, NEVER).scatter(1, ids, torch.where(kept, ordered, NEVER))


class TopHTransform(StatelessTransform):
    """One stable sort; the entropy is that of the tokens looked at."""

    def __init__(self, h: float, top_n: int) -> None:
        self.h, self.top_n = h, top_n

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.h >= 1 and self.top_n == 0:
            return logits
        ordered, ids = descending(logits)
        if 0 < self.top_n < logits.shape[-1]:
            ordered, ids = ordered[:, : self.top_n], ids[:, : self.top_n]
        if self.h < 1:
            reached = torch.special.entr(torch.softmax(ordered, dim=-1)).cumsum(-1)
            within = reached[:, 1:] <= self.h * reached[:, -1:]
            ordered = torch.where(pad(within, (1, 0), value=True), ordered, NEVER)
        return torch.full_like(logits, NEVER).scatter(1, ids, ordered)
