"""How fast this machine reads memory: what a step can't be quicker than, as it reads all weights once."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


class Reader:
    """Reads a block of memory that no cache holds, in two ways; the quicker one counts."""

    def __init__(
        self, *, device: str = "cpu", size: int = 1 << 29, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._device, self._clock = device, clock
        columns = 4096
        self._block = torch.ones(size // (4 * columns), columns, device=device)
        self._vector = torch.ones(columns, device=device)
        self._bytes = self._block.numel() * 4

    def measure(self) -> float:
        """Bytes a second of one round."""
        return max(self._bytes / self._time(way) for way in ("sum", "product") for _ in range(2))

    def _time(self, way: str) -> float:
        self._wait()
        began = self._clock()
        _ = self._block.sum() if way == "sum" else self._block @ self._vector
        self._wait()
        return self._clock() - began

    def _wait(self) -> None:
        if self._device.startswith("cuda"):
            torch.cuda.synchronize()
