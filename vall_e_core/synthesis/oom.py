"""Work in batches that shrink when the device's memory doesn't suffice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from vall_e_core.errors import DeviceError

T = TypeVar("T")


def in_batches(items: Sequence[int], size: int, work: Callable[[Sequence[int]], Sequence[T]]) -> list[T]:
    """`work` on `items`, `size` at a time, results in order. Out of memory halves the size and tries that batch again.

    Raises DeviceError when a single item doesn't fit.
    """
    done: list[T] = []
    at = 0
    while at < len(items):
        some = list(items[at : at + size])
        failed: str | None = None
        try:
            done += work(some)
        except torch.cuda.OutOfMemoryError as error:
            failed = str(error).splitlines()[0]
        if failed is None:
            at += len(some)
            continue
        if len(some) == 1:
            raise DeviceError(
                "out of memory on the device", cause=failed,
                try_="a shorter text or reference, --dtype bfloat16, or --device cpu",
            )  # fmt: skip
        size = max(1, len(some) // 2)
        torch.cuda.empty_cache()
    return done
