"""One row on a CPU: the chain on numpy arrays.

There every operation costs what its call costs, and numpy's calls cost a third of torch's. Members that have
`apply_row`, `kept_row` or `select_row` get the row as an array, all others the same memory as a tensor [1, V]. Only
what is ordinary is done here: a row that has to be cleaned or settled is left to the path of tensors, from its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FAILURES
from . import guard
from .guard import ID, MOST, NEVER, Look, Maker, Watch
from .protocols import Narrowing, Selector
from .stage import Stage, foreign
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
                own_method(stage.transform, "kept_row", "kept"),
            )
            for at, stage in enumerate(stages)
        ]  # fmt: skip
        self._foreign = foreign(stages)
        self._strangers = [stages[at].blamed for at in self._foreign]
        self._selector, self._compact, self._maker = selector, compact, maker
        self._select = own_method(selector, "select_row", "select")
        self.pays = any(each[1] is not None for each in self._stages)
        """Whether any transform gains by it."""

    def left(self, logits: Tensor, step: Step, states: Sequence[Any], watch: Watch) -> Row | None:
        """What all stages leave of logits [1, V] on a CPU; None if the row needs more than the stages.

        Raises:
            PluginError: a member breaks its contract, and the row shows it, or this step is looked at closely.
        """
        size = logits.shape[1]
        if size == 0:
            return None
        values: Array = logits.detach().float().numpy()[0]
        if not guard.highest_of(values) < MOST:
            return None
        try:
            row, place = self._through(values, step, states, watch.look(step) if watch.now and self._foreign else None)
        except FAILURES:
            if self._foreign:  # one before it may have led it there
                self._again(values, step, states)
            raise
        if _sound(row.logits, place):
            return row
        if self._foreign:
            again = guard.highest_of(self._again(values, step, states).logits)
            if not NEVER < guard.highest_of(row.logits) < MOST:
                guard.not_again(self._strangers, guard.highest_of(values) < MOST, NEVER < again < MOST)
        return None

    def _again(self, given: Array, step: Step, states: Sequence[Any]) -> Row:
        """What all stages leave of a row [V]. Raises PluginError for the first that breaks its contract."""
        return self._through(given, step, states, Look(step, each=True))[0]

    def _through(self, given: Array, step: Step, states: Sequence[Any], look: Look | None) -> tuple[Row, int | None]:
        """What all stages leave of a row [V], and the stop token's place; with a close look at some, or at each."""
        size, values, ids = given.size, given, None
        stop = step.stop_token if step.stop_token is not None and 0 <= step.stop_token < size else None
        narrows, place = step.stop_token in (None, size - 1), stop
        with np.errstate(all="ignore"):
            for at, (stage, apply, narrower, keep) in enumerate(self._stages):
                if ids is not None and not stage.compact:
                    values, ids, place = _dense(values, ids, size), None, stop
                try:
                    close = None if look is None else look.at(stage.blamed, values)
                    if narrows and ids is None and narrower is not None:
                        ids = (
                            keep(values, step, states[at])
                            if keep
                            else narrower.kept(_tensor(values), step, states[at]).numpy()[0]
                        )
                        if close is not None:
                            close.check(stage.blamed, "kept_row" if keep else "kept")
                            if ids.item(ids.argmin()) < 0:  # one that is too large can't be taken
                                raise guard.said(stage.blamed, 1 << ID, "kept_row" if keep else "kept")
                        if stop is not None and ids[-1] != stop:
                            ids = np.concatenate((ids, (stop,)))
                        values, place = values.take(ids), None if stop is None else len(ids) - 1
                        continue
                    made = (
                        apply(values, step, states[at])
                        if apply
                        else _by_tensor(stage, values, step, states[at], close is not None)
                    )
                    if close is not None:
                        close.check(stage.blamed, "apply_row" if apply else "apply")
                        guard.check_row(stage.blamed, "apply_row" if apply else "apply", made, values, stage.bans)
                    if place is not None and stage.protects and made is not values and made[place] == NEVER:
                        made[place] = values[place]
                except FAILURES as error:
                    guard.raise_for(stage.blamed, "apply", error)
                values = made
        if look is not None:
            look.end(self._strangers, "apply")
        if self._foreign and values.size != (size if ids is None else ids.size):
            raise guard.one_of(self._strangers, "returned other logits than those of the tokens it was given")
        return Row(values, ids, size), place

    def select(self, row: Row, step: Step, state: Any, watch: Watch) -> Tensor:  # noqa: ANN401 - each selector has its own
        """The token [1] for what `left` left.

        Raises:
            PluginError: the selector fails, or chooses what doesn't exist.
        """
        maker, ids = self._maker, row.ids if self._compact else None
        values = row.logits if self._compact else _dense(row.logits, row.ids, row.size)
        look = watch.look(step).at(maker, values) if watch.now else None
        try:
            if self._select is not None and row.ids is ids:
                method, place = "select_row", self._select(values, step, state)
                if maker.foreign and not 0 <= (place := index(place)) < values.size:
                    raise guard.said(maker, 1 << ID, method)
                token = torch.from_numpy(np.array([place if ids is None else ids[place]], np.int64))
            else:
                method, given = "select", _tensor(values)
                token = self._selector.select(given, step, state)
                if maker.foreign:
                    guard.check_tokens(maker, method, token, given, values.size)
                if ids is not None:
                    token = torch.from_numpy(ids.take(token.numpy()))
        except FAILURES as error:
            guard.raise_for(maker, "select", error)
        if look is not None:
            look.check(maker, method, last=True)
        return token


def own_method(of: object, name: str, instead: str) -> Callable[..., Any] | None:
    """The method `name` that does what the method `instead` does; None where a derived class has changed only that."""
    for kind in type(of).__mro__:
        if name in vars(kind):
            found: Callable[..., Any] = getattr(of, name)
            return found
        if instead in vars(kind):
            return None
    return None


def _by_tensor(stage: Stage, values: Array, step: Step, state: Any, closely: bool) -> Array:  # noqa: ANN401 - each transform's own
    given = _tensor(values)
    made = stage.transform.apply(given, step, state)
    if closely:
        guard.check_logits(stage.blamed, "apply", made, given)
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


def _sound(values: Array, place: int | None) -> bool:
    """As `protection.sound`: a finite token beside the one at `place`, and neither NaN nor +inf."""
    if place is None:
        return NEVER < guard.highest_of(values) < MOST
    if not values.item(place) < MOST:
        return False
    if place == values.size - 1:
        return place > 0 and NEVER < guard.highest_of(values[:place]) < MOST
    sides = [guard.highest_of(each) for each in (values[:place], values[place + 1 :]) if each.size > 0]
    return all(each < MOST for each in sides) and any(each > NEVER for each in sides)
