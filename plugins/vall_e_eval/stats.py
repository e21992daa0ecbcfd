"""Means with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS, SEED = 2000, 0
"""Of the bootstrap."""


@dataclass(frozen=True)
class Value:
    """One observation. `cluster` is what it shares with others (a sentence spoken by several voices)."""

    cluster: str
    value: float
    weight: float = 1.0


@dataclass(frozen=True)
class Mean:
    """sum(value * weight) / sum(weight), its 95 % interval, and the number of observations."""

    mean: float
    low: float
    high: float
    count: int

    def record(self) -> dict[str, float | int]:
        """As JSON holds it."""
        return {"mean": round(self.mean, 6), "low": round(self.low, 6), "high": round(self.high, 6), "n": self.count}


def mean(values: Sequence[Value], draws: int = DRAWS, seed: int = SEED) -> Mean | None:
    """The mean with its percentile bootstrap interval; None without observations (or weights).

    Whole clusters are drawn with replacement, because recordings of one sentence aren't independent; the same values
    in any order give the same interval.
    """
    total = sum(each.weight for each in values)
    if not values or total <= 0:
        return None
    names = sorted({each.cluster for each in values})
    place = {name: at for at, name in enumerate(names)}
    sums = np.zeros((2, len(names)))
    for each in sorted(values, key=lambda each: (each.cluster, each.value, each.weight)):
        sums[0, place[each.cluster]] += each.value * each.weight
        sums[1, place[each.cluster]] += each.weight
    average = float(sums[0].sum() / sums[1].sum())
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    above, below = counts @ sums[0], counts @ sums[1]
    low, high = np.percentile((above / np.where(below > 0, below, 1.0))[below > 0], [2.5, 97.5])
    return Mean(average, float(low), float(high), len(values))
