"""The contract of the methods for one row: they do what the methods for batches do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import own_method

from .common import context, replayed, same
from .probes import Probe

Array = NDArray[Any]


def check_transform_rows(built: Any, probe: Probe) -> Iterator[str]:  # noqa: ANN401 - a plugin's own object
    """`apply_row` and `kept_row`, if a built transform has its own, on each row of a probe."""
    apply, kept = own_method(built, "apply_row", "apply"), own_method(built, "kept_row", "kept")
    if apply is None and kept is None:
        return
    for row in range(len(probe.logits)):
        step = _alone(probe, row)
        lone = replace(probe, logits=probe.logits[row : row + 1], histories=probe.histories[row : row + 1])
        state = replayed(built, lone, step)
        given, before = lone.logits.numpy()[0].copy(), states.snapshot(state)
        with np.errstate(all="ignore"):
            if apply is not None:
                yield from _compared(apply(given, step, state), built.apply(lone.logits.clone(), step, state), probe)
            if kept is not None and not np.array_equal(
                kept(given, step, state), built.kept(lone.logits.clone(), step, state)[0].numpy()
            ):
                yield f"kept_row() names other ids than kept() ({probe.name})"
        if not np.array_equal(given, lone.logits.numpy()[0]):
            yield "a method for one row writes to the logits it is given"
        if not all(map(torch.equal, states.tensors(state), states.tensors(before))):
            yield "a method for one row changes the state: only accept() may"


def check_selector_rows(built: Any, probe: Probe) -> Iterator[str]:  # noqa: ANN401 - a plugin's own object
    """`select_row`, if a built selector has its own, on each row of a probe."""
    select = own_method(built, "select_row", "select")
    for row in range(len(probe.logits) if select is not None else 0):
        step, logits = _alone(probe, row), probe.logits[row : row + 1].clone()
        state = built.init(1, context(probe, step))
        token = select(logits.numpy()[0], step, state) if select is not None else None
        if not torch.equal(logits, probe.logits[row : row + 1]):
            yield "select_row() writes to the logits it is given"
        if token != int(built.select(logits, step, state)[0]):
            yield f"select_row() takes another token than select() ({probe.name})"


def _alone(probe: Probe, row: int) -> Step:
    return probe.step([row])


def _compared(made: Array, expected: torch.Tensor, probe: Probe) -> Iterator[str]:
    if made.shape != expected.shape[1:] or made.dtype != np.float32:
        yield f"apply_row() returns {made.shape} {made.dtype} for {tuple(expected.shape[1:])} float32 ({probe.name})"
    elif not same(torch.from_numpy(made[None].copy()), expected):
        yield f"apply_row() makes other logits than apply() ({probe.name})"
