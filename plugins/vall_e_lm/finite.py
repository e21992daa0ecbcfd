"""Noticing numbers that aren't numbers, without waiting for the device at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vall_e_core import VallEError


class FiniteStates:
    """Looks at every state [N, T, D] that a model hands out, until it is closed.

    The verdict is gathered on the device, and fetched when somebody asks.
    """

    def __init__(self, model: nn.Module, stage: str) -> None:
        self._stage = stage
        self._verdict: Tensor | None = None
        self._handle = model.register_forward_hook(self._look)

    def require(self) -> None:
        """Raises VallEError that names the stage where a state wasn't finite; waits for the device."""
        if self._verdict is not None and not bool(self._verdict):
            raise not_finite(self._stage)

    def close(self) -> None:
        """Look no more."""
        self._handle.remove()

    def _look(self, _module: nn.Module, _given: Any, states: object) -> None:  # noqa: ANN401 - whatever forward takes
        if isinstance(states, Tensor) and states.is_floating_point():
            good = torch.isfinite(states).all()
            self._verdict = good if self._verdict is None else self._verdict & good


@contextmanager
def finite_states(model: nn.Module, stage: str) -> Iterator[None]:
    """Look at every state [N, T, D] that `model` hands out in the block; raise at its end if one wasn't finite.

    Raises VallEError that names the `stage`.
    """
    watch = FiniteStates(model, stage)
    try:
        yield
    finally:
        watch.close()
    watch.require()


def require_finite(values: Tensor, stage: str) -> Tensor:
    """`values`, if all are finite. Raises VallEError that names the `stage`."""
    if not bool(torch.isfinite(values).all()):
        raise not_finite(stage)
    return values


def not_finite(stage: str) -> VallEError:
    """The error for NaN or infinity that came out of a stage."""
    return VallEError(
        f"the model produced values that aren't numbers (stage: {stage})",
        cause="its weights don't fit this number format, or are damaged",
        try_="--dtype float32; vall-e models verify",
    )
