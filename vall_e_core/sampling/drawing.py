"""Drawing a token from a row of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


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


def cumulated_row(logits: Array) -> Array:
    """The cumulated softmax [V] of one row's logits [V] on a CPU, to the bit what torch's softmax and cumsum make."""
    shares: Array = torch.softmax(torch.from_numpy(logits), -1).numpy()
    return shares.astype(np.float64).cumsum().astype(np.float32)  # torch adds up in double precision


def draw_row(logits: Array, uniform: float) -> int:
    """`draw` of one row on a CPU: logits [V] -> the token."""
    cumulated = cumulated_row(logits)
    place = cumulated.searchsorted(cumulated[-1] * np.float32(uniform), "right")
    return min(int(place), logits.size - 1)
