"""Rows that can't be drawn from, and the stop token that no filter may take away.

All of it is tensor arithmetic without a wait for the device; what happened is counted on the device, row by row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

NEVER = float("-inf")
_NEVER = torch.tensor(NEVER)
"""A number in a tensor saves a conversion at each use, on whatever device."""
_FINITE = torch.tensor(float("inf"))
"""Finite numbers are below this."""
_ODDS = 1e4
"""The stop token may have been given back after a filter took it: then no odds are known, and the other one wins."""


def clean(logits: Tensor) -> tuple[Tensor, Tensor | None]:
    """NaN and +inf become -inf: logits [N, V] -> (logits [N, V] float32, whether the row held any [N]; None: none)."""
    found = logits.float()
    if _may_look(found) and _number(found.amax()) < float("inf"):
        return found, None
    highest = found.amax(dim=-1)  # NaN if there is one
    return torch.nan_to_num(found, nan=NEVER, posinf=NEVER, neginf=NEVER), ~(highest < _FINITE)


def _may_look(logits: Tensor) -> bool:
    """Whether the host may: on a CPU that costs nothing, and what is hardly ever needed can be left out."""
    return logits.device.type == "cpu" and logits.numel() > 0


def sound(logits: Tensor, stop: int | None) -> bool:
    """Whether each row of [N, V] has a finite token beside the stop token, and neither NaN nor +inf: then there is
    nothing to settle. False also where the host would have to wait for the answer."""
    if not _may_look(logits):
        return False
    left = logits.amax(dim=-1) if stop is None or not 0 <= stop < logits.shape[-1] else highest_other(logits, stop)
    return _number(left.amin()) > NEVER and _number(logits.amax()) < float("inf")


def _number(found: Tensor) -> float:
    """The number that a tensor without dimensions holds; the host waits for it."""
    value: Any = found.tolist()
    return float(value)


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


def highest_other(logits: Tensor, stop: int) -> Tensor:
    """The highest logit but the stop token's in each row of [N, V]; NaN where there is one, -inf where V = 1."""
    size = logits.shape[-1]
    if size == 1:
        return torch.full_like(logits[:, 0], NEVER)
    if stop == size - 1:
        return logits[:, :-1].amax(dim=-1)
    upper = logits[:, stop + 1 :].amax(dim=-1)
    return upper if stop == 0 else torch.maximum(logits[:, :stop].amax(dim=-1), upper)


def keep_stop(before: Tensor, after: Tensor, stop: int | None) -> Tensor:
    """Give the stop token back its logit where a filter removed it. Writes to `after` [N, V], unless it is `before`."""
    if stop is None or after is before or not 0 <= stop < after.shape[-1]:
        return after
    column = after[:, stop]
    torch.where(column == _NEVER, before[:, stop], column, out=column)
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
    if stop is not None and 0 <= stop < after.shape[-1]:
        return _settle_around(after, reference, raw, stop)
    fallen = ~(after.amax(dim=-1).abs() < float("inf"))
    return Settled(_fall_back(after, fallen, raw.argmax(dim=-1)), fallen, torch.zeros_like(fallen))


def _settle_around(after: Tensor, reference: Tensor, raw: Tensor, stop: int) -> Settled:
    """`settle` where there is a stop token: one column of each row [N] is written, the same in most."""
    best = best_other(reference, stop)
    own, left = after[:, stop], highest_other(after, stop)
    drawable = torch.maximum(left, own).abs() < _FINITE
    fallen = ~drawable
    rescued = (left == _NEVER) & drawable & (best.value > _NEVER)
    first = best if reference is raw else best_other(raw, stop)
    chance = raw[:, stop]
    stopping = chance >= first.value if stop == 0 else chance > first.value
    fallback = torch.where(stopping | (first.value == _NEVER), stop, first.token)
    token = torch.where(fallen, fallback, best.token).unsqueeze(1)
    value = after.gather(1, token).squeeze(1)
    empty = fallen.unsqueeze(1)
    if after is reference or after is raw:
        made = after.masked_fill(empty, NEVER)
    else:
        odds = (best.value - reference[:, stop]).clamp_(max=_ODDS)
        value = torch.where(rescued, odds.add_(own), value)
        made = after.masked_fill_(empty, NEVER)
    return Settled(made.scatter_(1, token, value.masked_fill_(fallen, 0.0).unsqueeze(1)), fallen, rescued)


def _fall_back(logits: Tensor, fallen: Tensor, token: Tensor) -> Tensor:
    """A copy of logits [N, V] in which fallen rows [N] hold nothing but their token [N]."""
    column = token.unsqueeze(1)
    made = logits.masked_fill(fallen.unsqueeze(1), NEVER)
    return made.scatter_(1, column, made.gather(1, column).masked_fill_(fallen.unsqueeze(1), 0.0))
