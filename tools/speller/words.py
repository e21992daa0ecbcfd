"""The speller's words: which there are, how they are written, and how often they are used."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MOST = 60_000
START, STOP = "<s>", "</s>"
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_SHOUTED = re.compile(r"[A-Z]{2}|[A-Z]$")
_TITLES = frozenset({"mr", "mrs", "dr", "st", "jr", "sr", "ms"})
_AMERICAN = (
    (r"our", "or"), (r"is(e[sdr]?|ing|ations?|ers|able)$", r"iz\1"), (r"ys(e[sdr]?|ing)$", r"yz\1"),
    (r"re(s?)$", r"er\1"), (r"ll(ed|ing|ers?)$", r"l\1"), (r"ogue(s?)$", r"og\1"), (r"grey", "gray"),
    (r"ence(s?)$", r"ense\1"), (r"ould", "old"), (r"mme(s?)$", r"m\1"), (r"plough", "plow"), (r"wards$", "ward"),
)  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """The words by frequency, after the marks of a start and of an end, and how each is written."""

    words: tuple[str, ...]
    written: tuple[str, ...]

    def ids(self) -> dict[str, int]:
        """Each word's place."""
        return {word: place for place, word in enumerate(self.words)}


def listed(path: Path) -> dict[str, set[str]]:
    """The American words of SCOWL in lower case, and the ways they are written: the Debian package wamerican."""
    forms: dict[str, set[str]] = {}
    for word in path.read_text("utf-8").split():
        if _WORD.fullmatch(word) and not _SHOUTED.search(word.removesuffix("'s")):
            low = word.lower()
            forms.setdefault(low, set()).add(word)
    return {**forms, "i": {"I"}, "a": {"a"}}


def pronounced(path: Path) -> frozenset[str]:
    """The words of the CMU Pronouncing Dictionary as pocketsphinx has it; how it says them isn't looked at."""
    lines = path.read_text("utf-8").splitlines()
    return frozenset(word for word in (line.split(" ")[0] for line in lines) if _WORD.fullmatch(word))


def american(word: str, known: Mapping[str, set[str]]) -> str:
    """The American spelling of a word that SCOWL's American list doesn't have, where the list has that."""
    if word in known:
        return word
    for pattern, replacement in _AMERICAN:
        other = re.sub(pattern, replacement, word)
        if other in known:
            return other
    return word


def vocabulary(
    known: Mapping[str, set[str]], names: frozenset[str], texts: Iterable[list[str]], spoken: Mapping[str, float]
) -> Vocabulary:
    """The most frequent words that a dictionary has.

    Args:
        known: SCOWL's words.
        names: The CMU dictionary's.
        texts: Sentences in which words are counted, and their capitals.
        spoken: How probable a word is in the speech that pocketsphinx's model was made from.
    """
    counts: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for sentence in texts:
        for place, word in enumerate(sentence):
            low = word.lower()
            counts[low] += 1
            if place:
                inside[low] += 1
                capital[low] += word[0].isupper()
    total = sum(counts.values())
    shares: dict[str, float] = {}
    for word in {*known, *counts, *spoken}:
        if not _WORD.fullmatch(word) or american(word, known) != word or (len(word) == 1 and word not in "ai"):
            continue
        if word not in known and (word not in names or (counts[word] < 3 and word not in spoken)):
            continue
        if len(word) < 4 and word not in known and counts[word] < 50:
            continue
        shares[word] = 0.5 * spoken.get(word, 0.0) + 0.5 * (counts[word] + 0.01) / total
    ranked = sorted(shares, key=lambda word: (-shares[word], word))[:MOST]

    def written(word: str) -> str:
        if word in _TITLES:
            return f"{word.capitalize()}."
        forms = known.get(word, {word, word.capitalize()})
        if len(forms) == 1:
            return next(iter(forms))
        often = capital[word] > 0.6 * inside[word] if inside[word] > 1 else word not in known
        return word[0].upper() + word[1:] if often else word

    return Vocabulary((START, STOP, *ranked), ("", "", *map(written, ranked)))
