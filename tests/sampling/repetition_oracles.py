"""Slow references of what looks at the history: plain searches through it, at every step anew."""

from __future__ import annotations

from collections.abc import Sequence

from .oracles import GONE

Row = Sequence[float]
Tokens = Sequence[int]


def frequency_presence(row: Row, history: Tokens, frequency: float, presence: float, window: int) -> list[float]:
    recent = list(history) if window < 0 else list(history)[max(0, len(history) - window) :]
    return [x - frequency * recent.count(i) - presence * (i in recent) for i, x in enumerate(row)]


def repeats(history: Tokens, allowed: int, reach: int, longest: int, breakers: Tokens) -> dict[int, int]:
    """The length of the longest match that each token would go on with, where it is long enough."""
    h = list(history)[-reach:] if reach > 0 else list(history)
    best: dict[int, int] = {}
    for end in range(len(h) - 1):
        length = 0
        while length <= end and h[end - length] == h[-1 - length] and h[-1 - length] not in breakers:
            length += 1
        length = min(length, longest) if longest > 0 else length
        if length >= max(1, allowed) and h[end + 1] not in breakers:
            best[h[end + 1]] = max(best.get(h[end + 1], 0), length)
    return best


def dry(
    row: Row, history: Tokens, multiplier: float, base: float, allowed: int, reach: int, longest: int, breakers: Tokens
) -> list[float]:
    out = list(row)
    for token, length in repeats(history, allowed, reach, longest, breakers).items():
        out[token] -= multiplier * base ** (length - allowed)
    return out


def no_repeat_ngram(row: Row, history: Tokens, n: int) -> list[float]:
    h, out = list(history), list(row)
    start = h[len(h) - n + 1 :] if n > 1 else []
    if len(start) == n - 1:
        for i in range(len(h) - n + 1):
            if h[i : i + n - 1] == start:
                out[h[i + n - 1]] = GONE
    return out if max(out) > GONE else list(row)
