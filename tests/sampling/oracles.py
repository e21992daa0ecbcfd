"""Slow references in float64 and plain loops, written from the published formulas, independently of the samplers."""

from __future__ import annotations

import math
from collections.abc import Sequence

GONE = float("-inf")


def softmax(row: Sequence[float]) -> list[float]:
    top = max(row)
    if top == GONE:
        return [math.nan] * len(row)
    weights = [math.exp(x - top) if x > GONE else 0.0 for x in row]
    total = math.fsum(weights)
    return [each / total for each in weights]


def ranked(row: Sequence[float]) -> list[int]:
    """Ids from the most probable on, the lowest id first among equals."""
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def keep(row: Sequence[float], ids: Sequence[int]) -> list[float]:
    chosen = set(ids)
    return [x if i in chosen else GONE for i, x in enumerate(row)]


def top_k(row: Sequence[float], k: int) -> list[float]:
    return list(row) if k == 0 else keep(row, ranked(row)[:k])


def top_p(row: Sequence[float], p: float) -> list[float]:
    probabilities, kept, mass = softmax(row), [], 0.0
    for token in ranked(row):
        kept.append(token)
        mass += probabilities[token]
        if mass >= p:
            break
    return keep(row, kept)


def top_p_margin(row: Sequence[float], p: float) -> float:
    """How near a cumulated probability comes to p: below float32's rounding, either outcome is right."""
    probabilities, mass, nearest = softmax(row), 0.0, 1.0
    for token in ranked(row):
        mass += probabilities[token]
        nearest = min(nearest, abs(mass - p))
    return nearest


def min_p(row: Sequence[float], p: float) -> list[float]:
    probabilities = softmax(row)
    floor = p * max(probabilities)
    return [x if q >= floor else GONE for x, q in zip(row, probabilities, strict=True)]


def min_p_margin(row: Sequence[float], p: float) -> float:
    if p == 0:
        return 1.0
    top = max(row)
    return min(abs(x - top - math.log(p)) for x in row if x > GONE)


def repetition(row: Sequence[float], history: Sequence[int], penalty: float, decay: float, window: int) -> list[float]:
    out = list(row)
    recent = list(history) if window < 0 else list(history)[max(0, len(history) - window) :]
    for token in set(recent):
        distance = min(len(recent) - place for place, each in enumerate(recent) if each == token)
        strength = 1 + (penalty - 1) * distance ** (-decay)
        out[token] = row[token] / strength if row[token] > 0 else row[token] * strength
    return out


def length(x: float, count: int, factor: float, mode: str, start: int) -> float:
    past = count - start
    if mode == "log":
        return x - factor * math.log(max(past, 1))
    if mode == "power":
        scale = max(past, 1) ** factor
        return x / scale if x > 0 else x * scale
    return x + abs(x) * (factor ** max(past, 0) - 1)


def confidence(row: Sequence[float], low: float, high: float, k: float, center: float) -> float:
    return high - (high - low) / (1 + math.exp(-k * (max(softmax(row)) - center)))


def entropy(row: Sequence[float], low: float, high: float, exponent: float) -> float:
    probabilities = [q for x, q in zip(row, softmax(row), strict=True) if x > GONE]
    if len(probabilities) < 2:
        return low
    amount = -math.fsum(q * math.log(q) for q in probabilities if q > 0)
    return low + (high - low) * (amount / math.log(len(probabilities))) ** exponent


def draw(row: Sequence[float], uniform: float) -> int:
    """The first id whose cumulated probability exceeds `uniform`."""
    mass = 0.0
    for token, probability in enumerate(softmax(row)):
        mass += probability
        if mass > uniform:
            return token
    return len(row) - 1
