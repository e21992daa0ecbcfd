"""Noticing numbers that aren't numbers, without waiting for the device at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vall_e_core import VallEError


@contextmanager
def finite_states(model: nn.Module, stage: str) -> Iterator[None]:
    """Look at every state [N, T, D] that `model` hands out in the block; raise at its end if one wasn't finite.

    The verdict is gathered on the device and fetched once, at the end. Raises VallEError that names the `stage`.
    """
    verdict: list[Tensor] = []

    def look(_module: nn.Module, _given: Any, states: object) -> None:  # noqa: ANN401 - whatever forward takes
        if isinstance(states, Tensor) and states.is_floating_point():
            good = torch.isfinite(states).all()
            verdict[:] = [good if not verdict else verdict[0] & good]

    handle = model.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()
    if verdict and not bool(verdict[0]):
        raise not_finite(stage)


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
