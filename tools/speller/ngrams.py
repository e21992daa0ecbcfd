"""A trigram model with backoff: pocketsphinx's model of spoken English, mixed with counts of our texts, pruned.

Everything is an array. A pair of words is the number `first * size + second`, a triple `pair * size + third`.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .words import START, STOP, Vocabulary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SPOKEN_SHARE = 0.6
"""Weight of pocketsphinx's model; the rest is that of the texts."""
DISCOUNT = 0.75
PAIRS, TRIPLES = 550_000, 450_000
"""How many are kept."""
_LOG_BASE = 1.0001
_LIKELY_PAIRS, _SUCCESSORS = 60_000, 50
"""Triples to ask pocketsphinx for, besides those of the texts."""


@dataclass(frozen=True)
class Backoff:
    """Natural logarithms of probabilities and of backoff weights; keys are sorted."""

    ones: Floats
    one_weights: Floats
    pair_keys: Ints
    pairs: Floats
    pair_weights: Floats
    triple_keys: Ints
    triples: Floats


def _write_arpa(model: Path, target: Path) -> None:
    from pocketsphinx import Config, LogMath, NGramModel

    logs = LogMath(_LOG_BASE)  # the model doesn't keep it alive
    loaded = NGramModel(Config(logbase=_LOG_BASE), logs, str(model))
    loaded.write(str(target), NGramModel.str_to_type("arpa"))


def dump(model: Path, target: Path) -> None:
    """Write pocketsphinx's model as text. In a child: it crashes once it has written single words and pairs."""
    child = multiprocessing.get_context("spawn").Process(target=_write_arpa, args=(model, target))
    child.start()
    child.join()


@dataclass(frozen=True)
class Spoken:
    """pocketsphinx's model: probabilities of words, its backoff weights, and its pairs with their probabilities."""

    ones: Mapping[str, float]
    weights: Mapping[str, float]
    pairs: Mapping[tuple[str, str], float]


def read_arpa(path: Path) -> Spoken:
    """Single words and pairs of a model as text; a last line that isn't whole is left out."""
    ones: dict[str, float] = {}
    weights: dict[str, float] = {}
    pairs: dict[tuple[str, str], float] = {}
    for line in path.read_text("utf-8").splitlines():
        cells = line.split("\t")
        if len(cells) == 3:
            ones[cells[1]], weights[cells[1]] = 10 ** float(cells[0]), 10 ** float(cells[2])
        elif len(cells) == 4:
            pairs[cells[1], cells[2]] = 10 ** float(cells[0])
    return Spoken(ones, weights, pairs)


def _counted(numbers: Iterable[list[int]], size: int) -> tuple[Ints, tuple[Ints, Ints], tuple[Ints, Ints]]:
    """How often each word, pair and triple occurs in sentences of numbers."""
    flat = np.fromiter((each for sentence in numbers for each in (0, *sentence, 1)), np.int64)
    words, after, third = flat[:-2], flat[1:-1], flat[2:]
    pair = words * size + after
    whole = (words >= 0) & (after >= 0) & (words != 1)
    triple_whole = whole & (third >= 0) & (after != 1)
    ones = np.bincount(flat[flat >= 0], minlength=size)
    return (
        ones.astype(np.int64),
        np.unique(pair[whole], return_counts=True),
        np.unique((pair * size + third)[triple_whole], return_counts=True),
    )


def _at(keys: Ints, values: Floats, wanted: Ints, otherwise: Floats | float = 0.0) -> Floats:
    """The values of wanted keys, `otherwise` where there is none."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], otherwise)


def _summed(groups: Ints, values: Floats, size: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=size)


def make(vocabulary: Vocabulary, texts: Iterable[list[str]], spoken: Spoken, model: Path) -> Backoff:
    """The mixed model. `texts` are in the spelling of the vocabulary, `model` is pocketsphinx's file."""
    ids, size = vocabulary.ids(), len(vocabulary.words)
    ones, (pair_of, pair_count), (triple_of, triple_count) = _counted(
        ([ids.get(word.lower(), -1) for word in sentence] for sentence in texts), size
    )
    a = SPOKEN_SHARE
    said = np.array([spoken.ones.get(word, 0.0) for word in vocabulary.words])
    said[0], ones[0] = 0.0, 0
    share = a * said / said.sum() + (1 - a) * (ones + 0.02) / (ones + 0.02).sum()

    # pairs: both models' own, each backing off to the mixed single words
    rows = [(ids[v] * size + ids[w], p) for (v, w), p in spoken.pairs.items() if v in ids and w in ids]
    rows.sort()
    said_keys, said_pairs = np.array([k for k, _ in rows], np.int64), np.array([p for _, p in rows])
    keys = np.union1d(said_keys, pair_of[pair_count > 1])
    first, second = np.divmod(keys, size)
    weights = np.array([spoken.weights.get(word, 1.0) for word in vocabulary.words])
    of_said = _at(said_keys, said_pairs, keys, weights[first] * said[second])
    contexts = np.maximum(_summed(pair_of // size, pair_count.astype(float), size), 1.0)
    kinds = np.bincount(pair_of // size, minlength=size)
    spare = np.where(kinds > 0, DISCOUNT * kinds / contexts, 1.0)
    counts = _at(pair_of, pair_count.astype(float), keys)
    of_texts = np.maximum(counts - DISCOUNT, 0.0) / contexts[first] + spare[first] * share[second]
    trust = a * np.where(weights[first] < 1.0, 1.0, 0.3)
    trust = np.where(contexts[first] > 1, trust, 1.0)
    p2 = trust * of_said + (1 - trust) * of_texts
    gain = share[np.maximum(first, 2)] * p2 * np.log(np.maximum(p2, 1e-12) / share[second])
    gain[first == 0] = (p2 * np.log(np.maximum(p2, 1e-12) / share[second]))[first == 0]
    kept = np.sort(np.argsort(-gain, kind="stable")[:PAIRS])
    keys, p2 = keys[kept], p2[kept]
    first, second = np.divmod(keys, size)
    one_weights = np.maximum(1 - _summed(first, p2, size), 0.02) / np.maximum(
        1 - _summed(first, share[second], size), 0.02
    )

    def paired(wanted: Ints) -> Floats:
        v, w = np.divmod(wanted, size)
        return _at(keys, p2, wanted, one_weights[v] * share[w])

    # triples: those of the texts, and likely ones, if pocketsphinx knows them better than by pairs
    asked = np.union1d(triple_of[triple_count > 1], _likely(keys, p2, share, size))
    pair, third = np.divmod(asked, size)
    fine = _at(keys, np.ones(len(keys)), pair) > 0
    asked, pair, third = asked[fine], pair[fine], third[fine]
    by_pairs = paired(pair % size * size + third)
    of_said = _asked(model, vocabulary, asked)
    contexts3 = _at(pair_of, pair_count.astype(float), pair, 0.0)
    heads, kinds3 = np.unique(triple_of // size, return_counts=True)
    spare3 = np.where(contexts3 > 0, DISCOUNT * _at(heads, kinds3.astype(float), pair) / np.maximum(contexts3, 1), 1.0)
    counts3 = _at(triple_of, triple_count.astype(float), asked)
    of_texts = np.maximum(counts3 - DISCOUNT, 0.0) / np.maximum(contexts3, 1) + spare3 * by_pairs
    trust3 = np.where(contexts3 > 20, a, 0.85)
    p3 = trust3 * of_said + (1 - trust3) * of_texts
    gain = share[np.maximum(pair // size, 2)] * paired(pair) * p3 * np.log(p3 / by_pairs)
    kept = np.sort(np.argsort(-np.abs(gain), kind="stable")[:TRIPLES])
    asked, p3, by_pairs = asked[kept], p3[kept], by_pairs[kept]
    place = np.searchsorted(keys, asked // size)
    pair_weights = np.maximum(1 - _summed(place, p3, len(keys)), 0.02) / np.maximum(
        1 - _summed(place, by_pairs, len(keys)), 0.02
    )
    return Backoff(
        np.log(share), np.log(one_weights), keys, np.log(p2), np.log(pair_weights), asked, np.log(p3)
    )  # fmt: skip


def _likely(keys: Ints, p2: Floats, share: Floats, size: int) -> Ints:
    """Triples made of the most probable pairs and what most probably follows them."""
    first, second = np.divmod(keys, size)
    starts = np.searchsorted(first, np.arange(size + 1))
    best = np.argsort(-(np.where(first == 0, 0.07, share[first]) * p2), kind="stable")[:_LIKELY_PAIRS]
    found: list[Ints] = []
    followers: dict[int, Ints] = {}
    for key in keys[best]:
        v = int(key % size)
        if v not in followers:
            row = slice(int(starts[v]), int(starts[v + 1]))
            followers[v] = second[row][np.argsort(-p2[row], kind="stable")[:_SUCCESSORS]]
        found.append(key * size + followers[v])
    return np.unique(np.concatenate(found))


def _asked(model: Path, vocabulary: Vocabulary, triples: Ints) -> Floats:
    """pocketsphinx's probabilities of triples; it wants the latest word first."""
    from pocketsphinx import Config, LogMath, NGramModel

    logs = LogMath(_LOG_BASE)  # the model doesn't keep it alive
    loaded = NGramModel(Config(logbase=_LOG_BASE), logs, str(model))
    size, words, scale = len(vocabulary.words), vocabulary.words, math.log(_LOG_BASE)
    assert (words[0], words[1]) == (START, STOP)
    found = np.empty(len(triples))
    for place, triple in enumerate(triples.tolist()):
        pair, third = divmod(triple, size)
        found[place] = loaded.prob([words[third], words[pair % size], words[pair // size]]) * scale
    return np.exp(np.maximum(found, -40.0))
