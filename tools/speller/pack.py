"""The data as the plugin reads it: small arrays in one compressed file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ngrams import Backoff
from .words import Vocabulary

NATS = 8


def _cost(logs: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Negative logarithms in eighths, in a byte."""
    return np.clip(np.rint(-logs * NATS), 0, 255).astype(np.uint8)


def _weight(logs: NDArray[np.float64]) -> NDArray[np.int8]:
    """The same of what may be above one."""
    return np.clip(np.rint(-logs * NATS), -128, 127).astype(np.int8)


def tree(ways: Mapping[str, Mapping[str, float]], ids: Mapping[str, int]) -> dict[str, Any]:
    """Pronunciations as a tree in breadth-first order, children by phoneme."""
    alphabet = "".join(sorted({char for of_word in ways.values() for way in of_word for char in way}))
    label = {char: number for number, char in enumerate(alphabet, 1)}
    root: dict[str, Any] = {}
    for word, of_word in ways.items():
        for way, part in of_word.items():
            node = root
            for char in way:
                node = node.setdefault(char, {})
            node.setdefault("", []).append((ids[word], min(255, round(-math.log(part) * NATS))))
    labels, children, entries, words, costs = [0], [], [], [], []
    level = [root]
    for node in level:
        found = sorted(node.get("", ()))
        entries.append(len(found))
        words += [word for word, _ in found]
        costs += [cost for _, cost in found]
        below = sorted(char for char in node if char)
        children.append(len(below))
        labels += [label[char] for char in below]
        level += [node[char] for char in below]
    return {
        "alphabet": np.frombuffer(alphabet.encode("utf-8"), np.uint8), "label": np.array(labels, np.uint8),
        "child": np.array(children, np.uint8), "entry": np.array(entries, np.uint8),
        "entry_word": np.array(words, np.uint16), "entry_cost": np.array(costs, np.uint8),
    }  # fmt: skip


def grams(model: Backoff, size: int) -> dict[str, Any]:
    """The n-gram model by rows: of a word its pairs, of a pair its triples. Words are split into their bytes."""
    first, second = np.divmod(model.pair_keys, size)
    pair, third = np.divmod(model.triple_keys, size)
    place = np.searchsorted(model.pair_keys, pair)
    return {
        "one": _cost(model.ones), "one_weight": _weight(model.one_weights),
        "pair_row": np.bincount(first, minlength=size).astype(np.uint16),
        "second_low": (second & 255).astype(np.uint8), "second_high": (second >> 8).astype(np.uint8),
        "pair": _cost(model.pairs), "pair_weight": _weight(model.pair_weights),
        "triple_row": np.bincount(place, minlength=len(model.pair_keys)).astype(np.uint16),
        "third_low": (third & 255).astype(np.uint8), "third_high": (third >> 8).astype(np.uint8),
        "triple": _cost(model.triples),
    }  # fmt: skip


def write(path: Path, vocabulary: Vocabulary, ways: Mapping[str, Mapping[str, float]], model: Backoff) -> None:
    """Everything into one file."""
    written = np.frombuffer("\n".join(vocabulary.written).encode("utf-8"), np.uint8)
    arrays = {"written": written, **tree(ways, vocabulary.ids()), **grams(model, len(vocabulary.words))}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
