"""One row on a CPU: the chain on numpy arrays.

There every operation costs what its call costs, and numpy's calls cost a third of torch's. Members that have
`apply_row`, `kept_row` or `select_row` get the row as an array, all others the same memory as a tensor [1, V]. Only
what is ordinary is done here: a row that has to be cleaned or settled is left to the path of tensors, from its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FAILURES
from .guard import MOST, NEVER, Maker, Seen, Watch, check_logits, check_row, raise_for, row_fault, said
from .protocols import Narrowing, Selector
from .stage import Stage
from .step import Step

Array = NDArray[Any]


@dataclass
class Row:
    """Logits [K] of the tokens that are left, and their ids [K], rising; without ids these are all tokens."""

    logits: Array
    ids: Array | None
    size: int
    """V."""

    def spread(self) -> Tensor:
        """Logits [1, V], all others removed; they may share this row's memory."""
        return _tensor(_dense(self.logits, self.ids, self.size))


class RowPath:
    """A chain's stages and selector as they work on one row."""

    def __init__(
        self, stages: Sequence[Stage], narrowing: Mapping[int, Narrowing], selector: Selector, compact: bool,
        maker: Maker,
    ) -> None:  # fmt: skip
        self._stages = [
            (
                stage, own_method(stage.transform, "apply_row", "apply"), narrowing.get(at),
                own_method(stage.transform, "kept_row", "kept"), stage.blamed,
            )
            for at, stage in enumerate(stages)
        ]  # fmt: skip
        self._selector, self._compact, self._maker = selector, compact, maker
        self._select = own_method(selector, "select_row", "select")
        self.pays = any(each[1] is not None for each in self._stages)
        """Whether any transform gains by it."""

    def left(self, logits: Tensor, step: Step, states: Sequence[Any], watch: Watch) -> Row | None:
        """What all stages leave of logits [1, V] on a CPU; None if the row needs more than the stages.

        Raises PluginError for a member that breaks its contract.
        """
        size = logits.shape[1]
        if size == 0:
            return None
        values: Array = logits.detach().float().numpy()[0]
        if not highest_of(values) < MOST:
            return None
        stop = step.stop_token if step.stop_token is not None and 0 <= step.stop_token < size else None
        narrows, place, ids = step.stop_token in (None, size - 1), stop, None
        maker, looks = None, watch.now
        try:
            with np.errstate(all="ignore"):
                for (stage, apply, narrower, keep, maker), state in zip(self._stages, states, strict=True):
                    if ids is not None and not stage.compact:
                        values, ids, place = _dense(values, ids, size), None, stop
                    seen = Seen(_tensor(values), step) if looks else None
                    if narrows and ids is None and narrower is not None:
                        if keep:
                            ids = keep(values, step, state)
                        else:
                            ids = narrower.kept(_tensor(values), step, state).numpy()[0]
                        if seen is not None:
                            seen.check(maker, "kept")
                        if stop is not None and ids[-1] != stop:
                            ids = np.concatenate((ids, (stop,)))
                        values, place = values.take(ids), None if stop is None else len(ids) - 1
                        continue
                    made = apply(values, step, state) if apply else _by_tensor(stage, values, step, state, maker, looks)
                    if seen is not None:
                        check_row(maker, made, values)
                        seen.check(maker, "apply_row" if apply else "apply")
                    if maker.foreign and made.shape != values.shape:
                        check_row(maker, made, values)
                    if maker.foreign and not NEVER < (most := highest_of(made)) < MOST:
                        fault = row_fault(most, highest_of(values), stage.bans)
                        if fault is not None:
                            raise said(maker, 1 << fault, "apply_row" if apply else "apply")
                    if place is not None and stage.protects and made is not values and made[place] == NEVER:
                        made[place] = values[place]
                    values = made
        except FAILURES as error:
            raise_for(maker, "apply", error)
        return Row(values, ids, size) if _sound(values, place) else None

    def select(self, row: Row, step: Step, state: Any) -> Tensor:  # noqa: ANN401 - each selector has its own
        """The token [1] for what `left` left."""
        ids = row.ids
        try:
            if ids is not None and not self._compact:
                return self._selector.select(row.spread(), step, state)
            if self._select is None:
                token = self._selector.select(_tensor(row.logits), step, state)
                return token if ids is None else torch.from_numpy(ids.take(token.numpy()))
            place = self._select(row.logits, step, state)
            return torch.from_numpy(np.array([place if ids is None else ids[place]], np.int64))
        except FAILURES as error:
            raise_for(self._maker, "select", error)


def own_method(of: object, name: str, instead: str) -> Callable[..., Any] | None:
    """The method `name` that does what the method `instead` does; None where a derived class has changed only that."""
    for kind in type(of).__mro__:
        if name in vars(kind):
            found: Callable[..., Any] = getattr(of, name)
            return found
        if instead in vars(kind):
            return None
    return None


def _by_tensor(stage: Stage, values: Array, step: Step, state: Any, maker: Maker, looks: bool) -> Array:  # noqa: ANN401 - each transform's own
    given = _tensor(values)
    made = stage.transform.apply(given, step, state)
    if looks:
        check_logits(maker, "apply", made, given)
    return values if made is given else made.detach().numpy()[0]


def _tensor(values: Array) -> Tensor:
    """The same memory as [1, V]."""
    return torch.from_numpy(values[None])


def _dense(values: Array, ids: Array | None, size: int) -> Array:
    if ids is None:
        return values
    made = np.full(size, NEVER, values.dtype)
    made[ids] = values
    return made


def highest_of(values: Array) -> float:
    """The highest of [K], K > 0; NaN if there is one. Its place is found in a third of the time that `max` takes."""
    found: float = values.item(values.argmax())
    return found


def _sound(values: Array, place: int | None) -> bool:
    """As `protection.sound`: a finite token beside the one at `place`, and neither NaN nor +inf."""
    if place is None:
        return NEVER < highest_of(values) < MOST
    if not values.item(place) < MOST:
        return False
    if place == values.size - 1:
        return place > 0 and NEVER < highest_of(values[:place]) < MOST
    sides = [highest_of(each) for each in (values[:place], values[place + 1 :]) if each.size > 0]
    return all(each < MOST for each in sides) and any(each > NEVER for each in sides)
