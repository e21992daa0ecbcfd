"""Operations on state of any shape: tensors whose first dimension is the row, inside dataclasses, lists, tuples, dicts.

The engine owns state, so that resetting, re-parenting the hypotheses of a beam, dropping finished rows, snapshots and
roll-back are written once, here, and no sampler has to think of them. A tensor without dimensions
belongs to all rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import torch
from torch import Tensor

State = object
"""None, a tensor, or a dataclass, list, tuple or dict of states."""

_T = TypeVar("_T")


def map_tensors(change: Callable[..., Tensor], state: _T, *others: _T) -> _T:
    """A copy of `state` with every tensor changed; `others` have its structure and give `change` further arguments."""
    if isinstance(state, Tensor):
        return cast(_T, change(state, *others))
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        changed = {
            each.name: map_tensors(change, getattr(state, each.name), *(getattr(one, each.name) for one in others))
            for each in dataclasses.fields(state)
            if each.init
        }
        return cast(_T, dataclasses.replace(state, **changed))
    if isinstance(state, (list, tuple)):
        rows = [map_tensors(change, *parts) for parts in zip(state, *others, strict=True)]
        return cast(_T, type(state)(*rows) if hasattr(state, "_fields") else type(state)(rows))
    if isinstance(state, dict):
        pairs = {key: map_tensors(change, state[key], *(one[key] for one in others)) for key in state}  # type: ignore[index]
        return cast(_T, pairs)
    return state


def select(state: _T, rows: Tensor) -> _T:
    """The state of rows [M] (a row may come several times, or not at all)."""
    return map_tensors(lambda each: each.index_select(0, rows) if each.dim() > 0 else each.clone(), state)


def snapshot(state: _T) -> _T:
    """A copy that nothing done to `state` changes; keep it to roll back."""
    return map_tensors(lambda each: each.clone(), state)


def merge(mask: Tensor, chosen: _T, other: _T) -> _T:
    """Row by row `chosen` where mask [N] is true, else `other`; both have one structure."""

    def pick(left: Tensor, right: Tensor) -> Tensor:
        if left.dim() == 0:
            return left
        return torch.where(mask.reshape(-1, *[1] * (left.dim() - 1)), left, right)

    return map_tensors(pick, chosen, other)


def join(first: _T, second: _T) -> _T:
    """The rows of both, one after the other; both have one structure."""
    return map_tensors(lambda left, right: torch.cat([left, right]) if left.dim() > 0 else left, first, second)


def put(state: _T, rows: Tensor, fresh: _T) -> _T:
    """The state with the rows of `fresh` in the places `rows` [M]; both have one structure."""
    return map_tensors(lambda left, right: left.index_copy(0, rows, right) if left.dim() > 0 else left, state, fresh)


def copy_into(target: _T, source: _T) -> None:
    """Write `source` into `target`'s tensors, in place, as a captured graph needs it. They may share memory."""
    taken = {each.untyped_storage().data_ptr() for each in tensors(target)}

    def kept(own: Tensor, new: Tensor) -> Tensor:
        apart = new is own or new.untyped_storage().data_ptr() not in taken
        return new if apart else new.clone()  # it would be overwritten before it is read

    map_tensors(lambda own, new: own.copy_(new), target, map_tensors(kept, target, source))


def structure(state: object) -> object:
    """What doesn't change from step to step: shapes and types of the tensors, and whatever else there is."""
    if isinstance(state, Tensor):
        return state.shape, state.dtype
    if dataclasses.is_dataclass(state):
        return type(state), [structure(getattr(state, each.name)) for each in dataclasses.fields(state) if each.init]
    if isinstance(state, (list, tuple)):
        return [structure(each) for each in state]
    if isinstance(state, dict):
        return {key: structure(each) for key, each in state.items()}
    return state


def tensors(state: object) -> list[Tensor]:
    """Every tensor in `state`, in a fixed order."""
    if isinstance(state, Tensor):
        return [state]
    parts: Iterable[object] = ()
    if isinstance(state, (list, tuple)):
        parts = state
    elif isinstance(state, dict):
        parts = state.values()
    elif (known := getattr(type(state), "__dataclass_fields__", None)) is not None:
        parts = [getattr(state, name) for name, each in known.items() if each.init]
    return [each for part in parts for each in tensors(part)]
