"""Tokens in order of their logits, the lowest id first among equals, exactly.

On a CPU numpy does it: its selection and sorting use vector instructions, torch's compare one by one and are ten times
slower on logits that they haven't seen before. Elsewhere one stable sort does, which every device has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]

_MAGNITUDE = np.int32(0x7FFFFFFF)
_ID = np.int64(0xFFFFFFFF)
_FEW = 64
"""A row of so few tokens is sorted before numpy's keys are made."""


def highest(logits: Tensor, k: int) -> Tensor:
    """The ids [N, k] of the k highest of logits [N, V] (1 <= k <= V, no NaN), in the order of the ids."""
    if logits.device.type != "cpu":
        return logits.sort(dim=-1, descending=True, stable=True).indices[:, :k].sort(dim=-1).values
    values: Array = logits.detach().numpy()
    rows, size = values.shape
    if rows == 1:
        return torch.from_numpy(highest_row(values[0], k)[None])
    least = np.partition(values, size - k, axis=-1)[:, size - k, None]
    kept = values >= least
    places = kept.reshape(-1).nonzero()[0]
    if places.size != rows * k:  # equals on both sides of the border: those with the lowest ids stay
        above = values > least
        equal = kept & ~above
        kept = above | (equal & (equal.cumsum(-1) <= k - above.sum(-1, keepdims=True)))
        places = kept.reshape(-1).nonzero()[0]
    ids = places.reshape(rows, k)
    ids -= np.arange(0, rows * size, size)[:, None]
    return torch.from_numpy(ids)


def highest_row(values: Array, k: int) -> Array:
    """`highest` of one row on a CPU: values [V] -> ids [k]."""
    least = np.partition(values, values.size - k)[values.size - k]
    ids: Array = (values >= least).nonzero()[0]
    if ids.size != k:
        above, equal = (values > least).nonzero()[0], (values == least).nonzero()[0]
        ids = np.sort(np.concatenate([above, equal[: k - above.size]]))
    return ids


def descending_row(values: Array) -> Array:
    """The ids [V] of one row's values [V] (no NaN) in descending order, the lowest id first among equals."""
    if values.size <= _FEW:
        ids: Array = (-values).argsort(kind="stable")
        return ids
    keys = _keys(values)
    keys.sort()
    return (values.size - 1) - (keys[::-1] & _ID)


def descending(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [N, V] (no NaN) in descending order and their ids [N, V], both the caller's own."""
    rows, size = logits.shape
    if logits.device.type != "cpu":
        ordered, ids = logits.sort(dim=-1, descending=True, stable=True)
        return ordered, ids
    if rows == 1 and size <= _FEW:
        few: Array = logits.detach().numpy()
        place = descending_row(few[0])[None]
        return torch.from_numpy(few[0].take(place)), torch.from_numpy(place)
    keys = _keys(logits.detach().numpy())
    keys.sort(axis=-1)
    ids = torch.from_numpy((size - 1) - (keys[:, ::-1] & _ID))
    return logits.gather(1, ids), ids


def _keys(values: Array) -> Array:
    """int64 without equals (in a row) that rise with the values [..., V] float32, and fall with the ids.

    The bits of a float32, read as an integer, rise with its size; those of a negative one are turned round. They are
    the upper half, the id counted from the end the lower.
    """
    bits = (values + np.float32(0.0)).view(np.int32)  # -0.0 becomes 0.0
    level = bits >> 31
    level &= _MAGNITUDE
    level ^= bits
    keys = level.astype(np.int64)
    keys <<= 32
    keys |= np.arange(values.shape[-1] - 1, -1, -1)
    return keys
