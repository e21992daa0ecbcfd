"""The packaged data: words, how they are said as a tree of phonemes, and the n-gram model."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data" / "english.npz"
START, STOP = 0, 1
"""The numbers of the marks of a sentence's start and end."""
NATS = 8
"""Costs are negative natural logarithms in eighths."""


def _view(numbers: Any) -> memoryview:  # noqa: ANN401 - an array is a buffer, which its types don't say
    """An array whose items are plain numbers, without a copy."""
    return memoryview(numbers)


@dataclass(frozen=True)
class Tree:
    """Pronunciations by their phonemes. The children of a node follow each other; node 0 is the root."""

    alphabet: str
    labels: bytes
    """Of each node the number of its phoneme in the alphabet, plus one."""
    children: Any
    """Where the children of a node begin; one longer than there are nodes."""
    entries: Any
    """Where the words of a node begin; one longer too."""
    words: Any
    costs: Any
    """How improbable this way to say the word is."""


class Grams:
    """A trigram model with backoff. A state is the number of the last two words as a pair, or -1, and the last word."""

    def __init__(self, data: dict[str, Any]) -> None:
        one, rows, pair_rows = data["one"], data["pair_row"], data["triple_row"]
        self._ones, self._weights = one.tolist(), data["one_weight"].astype(int).tolist()
        self._rows = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).tolist()
        self._seconds, self._pairs = _view(data["second"]), _view(data["pair"])
        self._pair_weights = _view(data["pair_weight"])
        self._triple_rows = _view(np.concatenate([[0], np.cumsum(pair_rows, dtype=np.int64)]))
        self._thirds, self._triples = _view(data["third"]), _view(data["triple"])

    def single(self, word: int) -> int:
        """The cost of a word by itself."""
        cost: int = self._ones[word]
        return cost

    def after(self, pair: int, last: int, word: int) -> tuple[int, int]:
        """The cost of a word after a state, and the pair that it makes with the last one."""
        low, high = self._rows[last], self._rows[last + 1]
        place = bisect_left(self._seconds, word, low, high)
        listed = place < high and self._seconds[place] == word
        if pair >= 0:
            first, end = self._triple_rows[pair], self._triple_rows[pair + 1]
            if first < end:
                at = bisect_left(self._thirds, word, first, end)
                if at < end and self._thirds[at] == word:
                    return self._triples[at], place if listed else -1
            more = self._pair_weights[pair]
        else:
            more = 0
        if listed:
            return more + self._pairs[place], place
        return more + self._weights[last] + self._ones[word], -1


@dataclass(frozen=True)
class Dictionary:
    """Everything that spelling needs."""

    written: list[str]
    tree: Tree
    grams: Grams


@cache
def load(path: Path = DATA) -> Dictionary:
    """Read the packaged data, once a process. Nothing in it is run."""
    with np.load(path, allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    data["second"] = data.pop("second_low").astype(np.uint16) | data.pop("second_high").astype(np.uint16) << 8
    data["third"] = data.pop("third_low").astype(np.uint16) | data.pop("third_high").astype(np.uint16) << 8
    tree = Tree(
        data["alphabet"].tobytes().decode("utf-8"),
        data["label"].tobytes(),
        _view(np.concatenate([[1], 1 + np.cumsum(data["child"], dtype=np.int64)])),
        _view(np.concatenate([[0], np.cumsum(data["entry"], dtype=np.int64)])),
        _view(data["entry_word"]),
        _view(data["entry_cost"]),
    )
    return Dictionary(data["written"].tobytes().decode("utf-8").split("\n"), tree, Grams(data))
