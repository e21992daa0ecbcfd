"""Slow float64 references of the filters that look at spread, entropy and tail, with how near each decision is.

Each returns what it leaves of the row, and how near the closest decision came to its threshold: below float32's
rounding, either outcome is right.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from .oracles import GONE, keep, ranked, softmax

Row = Sequence[float]
Found = tuple[list[float], float]


def _entropy(probabilities: Row) -> float:
    return -math.fsum(q * math.log(q) for q in probabilities if q > 0)


def _at_least(row: Row, values: Row, level: float) -> Found:
    """Ids whose value reaches the level, and the maxima."""
    top = max(row)
    kept = [i for i, x in enumerate(row) if x > GONE and (values[i] >= level or x == top)]
    near = [abs(values[i] - level) / max(1.0, abs(level)) for i, x in enumerate(row) if GONE < x < top]
    return keep(row, kept), min(near, default=1.0)


def _logarithms(row: Row) -> list[float]:
    top = max(row)
    total = top + math.log(math.fsum(math.exp(x - top) for x in row if x > GONE))
    return [x - total for x in row]


def top_n_sigma(row: Row, n: float) -> Found:
    left = [x for x in row if x > GONE]
    mean = math.fsum(left) / len(left)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in left) / len(left))
    return _at_least(row, row, max(row) - n * deviation)


def top_a(row: Row, a: float) -> Found:
    return _at_least(row, _logarithms(row), math.log(a) + 2 * max(_logarithms(row)))


def epsilon(row: Row, e: float) -> Found:
    return _at_least(row, _logarithms(row), math.log(e))


def eta(row: Row, e: float) -> Found:
    level = min(e, math.sqrt(e) * math.exp(-_entropy(softmax(row))))
    return _at_least(row, _logarithms(row), math.log(level))


def p_less(row: Row) -> Found:
    probabilities = softmax(row)
    return _at_least(row, probabilities, math.fsum(q * q for q in probabilities))


def p_less_normalized(row: Row) -> Found:
    probabilities = softmax(row)
    count = sum(x > GONE for x in row)
    if count == 1:
        return list(row), 1.0
    agree = math.fsum(q * q for q in probabilities)
    return _at_least(row, probabilities, (count * agree - 1) / (count - 1))


def min_k(row: Row, tau: float) -> Found:
    """The paper's algorithm 1."""
    order = [i for i in ranked(row) if row[i] > GONE]
    spread = row[order[0]] - row[order[-1]]
    if spread == 0:
        return (list(row) if tau > 0 else keep(row, order[:1])), 1.0
    weights = [(row[order[i]] - row[order[i + 1]]) / spread / (i + 1) for i in range(len(order) - 1)]
    cliff = weights.index(max(weights)) + 1
    near = min((max(weights) - each for each in weights if max(weights) - each > 1e-12), default=1.0)
    near = min(near, abs(tau / spread - round(tau / spread)) or 1.0)
    return keep(row, order[: max(cliff, math.floor(tau / spread))]), near


def p_step(row: Row, p: float) -> Found:
    probabilities, order = softmax(row), ranked(row)
    kept, near = [order[0]], 1.0
    for token, following in itertools.pairwise(order):
        if probabilities[following] == 0 or row[following] == GONE:
            break
        ratio = probabilities[following] / probabilities[token]
        near = min(near, abs(ratio - p) or 1.0)
        if ratio < p:
            break
        kept.append(following)
    return keep(row, kept), near


def typical_p(row: Row, p: float) -> Found:
    probabilities = softmax(row)
    entropy = _entropy(probabilities)
    distances = [abs(-x - entropy) for x in _logarithms(row)]
    order = sorted(range(len(row)), key=lambda i: (distances[i], i))
    kept, mass, near = [], 0.0, 1.0
    for place, token in enumerate(order):
        kept.append(token)
        mass += probabilities[token]
        near = min(near, abs(mass - p))
        after = distances[order[place + 1]] if place + 1 < len(order) else math.inf
        if row[token] > GONE and math.isfinite(after) and row[order[place + 1]] != row[token]:
            near = min(near, after - distances[token])  # two sides of the entropy, equally far
        if mass >= p:
            break
    return keep(row, kept), near


def tail_free(row: Row, z: float) -> Found:
    if sum(logit > -math.inf for logit in row) <= 2:
        return list(row), 1.0
    order = ranked(row)
    q = [softmax(row)[i] for i in order]
    bends = [abs((q[i + 2] - q[i + 1]) - (q[i + 1] - q[i])) for i in range(len(q) - 2)]
    total = math.fsum(bends)
    if total < 1e-12:
        return list(row), 1.0 if total == 0 else 0.0
    kept, so_far, near = [order[0]], 0.0, 1.0
    for token, bend in zip(order[1:], bends, strict=False):
        so_far += bend / total
        near = min(near, abs(so_far - z))
        if so_far > z:
            break
        kept.append(token)
    return keep(row, kept), near


def top_h(row: Row, h: float, top_n: int) -> Found:
    order = ranked(row)[: top_n or None]
    q = softmax([row[i] for i in order])
    budget = h * _entropy(q)
    kept, spent, near = [order[0]], 0.0, 1.0
    for token, probability in zip(order, q, strict=True):
        spent += -probability * math.log(probability) if probability > 0 else 0.0
        near = min(near, abs(spent - budget)) if token != order[0] else near
        if spent > budget:
            break
        kept.append(token)
    return keep(row, kept), near


def xtc(row: Row, threshold: float, protect: Sequence[int]) -> Found:
    """Where it acts."""
    q = softmax(row)
    likely = [i for i, x in enumerate(row) if x > GONE and q[i] >= threshold and i not in protect]
    near = min(abs(each - threshold) for each in q) if threshold > 0 else 1.0
    if len(likely) < 2:
        return list(row), near
    least = min(likely, key=lambda i: (row[i], i))
    return keep(row, [i for i in range(len(row)) if i not in likely or i == least]), near
