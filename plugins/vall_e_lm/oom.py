"""Work in batches that shrink when the device's memory doesn't suffice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from vall_e_core import DeviceError

T = TypeVar("T")


def while_it_fits(size: int, work: Callable[[int], T]) -> T:
    """`work(size)`, with half the size each time that the device's memory doesn't suffice.

    Raises DeviceError when it doesn't with size 1.
    """
    while True:
        try:
            return work(size)
        except torch.cuda.OutOfMemoryError as error:
            failed = str(error).splitlines()[0]
        if size == 1:
            raise DeviceError(
                "out of memory on the device", cause=failed,
                try_="a shorter text or reference, --dtype bfloat16, or --device cpu",
            )  # fmt: skip
        size = max(1, size // 2)
        torch.cuda.empty_cache()


def in_batches(items: Sequence[int], size: int, work: Callable[[Sequence[int]], Sequence[T]]) -> list[T]:
    """`work` on `items`, `size` at a time, results in order. Out of memory halves the size and tries that batch again.

    Raises DeviceError when a single item doesn't fit.
    """
    done: list[T] = []

    def batch(count: int) -> int:
        done.extend(work(items[len(done) : len(done) + count]))
        return count

    while len(done) < len(items):
        size = while_it_fits(min(size, len(items) - len(done)), batch)
    return done
