"""Lists of words, written as they are read."""

from __future__ import annotations


def listed(words: str) -> frozenset[str]:
    """Words with blanks between them, as a set."""
    return frozenset(words.split())


def in_order(words: str) -> tuple[str, ...]:
    """Words with blanks between them, in their order."""
    return tuple(words.split())
