"""Rows that can't be drawn from, and the stop token that no filter may take away.

All of it is tensor arithmetic without a wait for the device; what happened is counted on the device, row by row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

NEVER = float("-inf")


def clean(logits: Tensor) -> tuple[Tensor, Tensor]:
    """NaN and +inf become -inf: logits [N, V] -> (logits [N, V] float32, whether the row held any [N])."""
    found = logits.float()
    usable = found < float("inf")
    return torch.where(usable, found, NEVER), ~usable.all(dim=-1)


class Best(NamedTuple):
    """The best token but the stop token in each row: value and id [N]."""

    value: Tensor
    token: Tensor


def best_other(logits: Tensor, stop: int | None) -> Best:
    """Where there is no other token (V = 1), value is -inf. Lowest id among equals."""
    size = logits.shape[-1]
    if stop is None or not 0 <= stop < size:
        return Best(*logits.max(dim=-1))
    if size == 1:
        return Best(torch.full_like(logits[:, 0], NEVER), torch.zeros_like(logits[:, 0], dtype=torch.long))
    if stop == size - 1:
        return Best(*logits[:, :-1].max(dim=-1))
    upper_value, upper_token = logits[:, stop + 1 :].max(dim=-1)
    if stop == 0:
        return Best(upper_value, upper_token + 1)
    value, token = logits[:, :stop].max(dim=-1)
    higher = upper_value > value
    return Best(torch.where(higher, upper_value, value), torch.where(higher, upper_token + stop + 1, token))


def keep_stop(before: Tensor, after: Tensor, stop: int | None) -> Tensor:
    """Give the stop token back its logit where a filter removed it. Writes to `after` [N, V], unless it is `before`."""
    if stop is None or after is before or not 0 <= stop < after.shape[-1]:
        return after
    column = after[:, stop]
    column.copy_(torch.where(column == NEVER, before[:, stop], column))
    return after


class Settled(NamedTuple):
    """Logits [N, V] with at least one finite entry in each row; which rows [N] fell back, and which were rescued."""

    logits: Tensor
    fallen: Tensor
    rescued: Tensor


def settle(after: Tensor, reference: Tensor, raw: Tensor, stop: int | None) -> Settled:
    """Make every row one that can be drawn from. All [N, V].

    - A row with nothing left, a NaN or a +inf becomes its fallback: the argmax of the raw finite logits. Where those
      have none, the stop token, or id 0 where there is no stop token.
    - A row where filters left only the stop token gets the best other token of `reference` (the logits after guidance
      and bans, before any filter) back, at the odds it had there.

    Writes to `after`, unless that is `reference` or `raw`.
    """
    stop = stop if stop is not None and 0 <= stop < after.shape[-1] else None
    best = best_other(reference, stop)
    rescued = torch.zeros_like(best.token, dtype=torch.bool)
    left = best_other(after, stop).value if stop is not None else after.amax(dim=-1)
    if stop is not None:
        own = after[:, stop]
        rescued = (left == NEVER) & (own > NEVER) & (best.value > NEVER) & (own < float("inf"))
        if after is not reference and after is not raw:
            odds = best.value - reference[:, stop]
            back = own + torch.where(odds < float("inf"), odds, 0.0)
            column = best.token.unsqueeze(1)
            present = after.gather(1, column)
            after = after.scatter_(1, column, torch.where(rescued.unsqueeze(1), back.unsqueeze(1), present))
        left = torch.maximum(left, own)
    fallen = ~(left.abs() < float("inf"))
    best = best if reference is raw else best_other(raw, stop)
    token, value = best.token, best.value
    if stop is not None:
        stopping = raw[:, stop] >= value if stop == 0 else raw[:, stop] > value
        stopping = stopping | (value == NEVER)
        token = torch.where(stopping, stop, token)
    column = token.unsqueeze(1)
    after = after.masked_fill(fallen.unsqueeze(1), NEVER)
    present = after.gather(1, column)
    return Settled(after.scatter(1, column, torch.where(fallen.unsqueeze(1), 0.0, present)), fallen, rescued)
