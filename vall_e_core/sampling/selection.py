"""Drawing a token from a row of logits."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(logits: Tensor, uniform: Tensor) -> Tensor:
    """The token at `uniform` [N] in (0, 1) of each row's cumulated softmax, ids in order: logits [N, V] -> [N] int64.

    The first id whose cumulated probability exceeds uniform × total: a removed token (-inf) is never drawn, whatever
    float32 rounding does.
    """
    cumulated = torch.softmax(logits, -1).cumsum_(-1)
    level = (cumulated.select(1, -1) * uniform).unsqueeze(1)
    return torch.searchsorted(cumulated, level, right=True).squeeze(1).clamp_(max=logits.shape[-1] - 1)


def take_maximum(logits: Tensor) -> Tensor:
    """The most probable token of each row, the lowest id among equals: logits [N, V] -> [N] int64."""
    return logits.argmax(dim=-1)
