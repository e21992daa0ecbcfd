"""What the training stages share: a clock, the learning rate, checkpoints, a log that plots, averaged weights."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

PAUSE_SECONDS = 60.0
"""No step takes as long: so much time between two of them is a process that was stopped for a while."""


class Clock:
    """Training time so far, over all starts; the schedule's only input."""

    def __init__(self, minutes: float, spent: float = 0.0) -> None:
        self.budget, self.spent = minutes * 60.0, spent
        self._last = time.monotonic()

    def tick(self) -> float:
        """A step is over. Seconds are counted from one step to the next, pauses left out; returns `progress`."""
        now = time.monotonic()
        if now - self._last < PAUSE_SECONDS:
            self.spent += now - self._last
        self._last = now
        return self.progress

    @property
    def progress(self) -> float:
        """0 at the start, 1 when the time is used up."""
        return min(1.0, self.spent / self.budget)


def rate(peak: float, step: int, warmup: int, progress: float, decay_share: float) -> float:
    """Warm-up, constant, and a final decay (1 - sqrt) over the last share of the time."""
    rising = min(1.0, (step + 1) / warmup)
    falling = 1.0 if progress < 1.0 - decay_share else 1.0 - math.sqrt((progress - 1.0 + decay_share) / decay_share)
    return peak * rising * max(falling, 0.01)


def set_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """The same learning rate for every group."""
    for group in optimiser.param_groups:
        group["lr"] = value


class Average:
    """Exponential moving average of a network's parameters; young averages follow faster."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """After an optimiser step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        mine, theirs = [], []
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                mine.append(self.values[key])
                theirs.append(value.detach())
        torch._foreach_lerp_(mine, theirs, 1.0 - decay)


def save(path: Path, values: dict[str, Any]) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


def restore(path: Path, device: str) -> dict[str, Any] | None:
    """A checkpoint, or None where there is none yet."""
    return torch.load(path, map_location=device, weights_only=True) if path.is_file() else None


class Log:
    """One JSON object a line: means of what was added since the last line."""

    def __init__(self, path: Path, every: int = 50) -> None:
        self.path, self.every = path, every
        self._sums: dict[str, list[float]] = {}

    def add(self, step: int, clock: Clock, **values: Tensor | float) -> None:
        """Add a step's figures; every `every` steps a line is written and shown."""
        for key, value in values.items():
            total = self._sums.setdefault(key, [0.0, 0.0])
            total[0] += float(value)
            total[1] += 1.0
        if step % self.every == 0:
            means = {k: round(s / n, 5) for k, (s, n) in self._sums.items()}
            line = json.dumps({"step": step, "seconds": round(clock.spent, 1), **means})
            with self.path.open("a") as file:
                file.write(line + "\n")
            print(line, flush=True)
            self._sums.clear()
