"""How espeak-ng says each word: alone, and in sentences, where small words are said weakly."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

_LEFT_OUT = re.compile("[ˈˌː\u0329\u0361]")
LEAST, LEAST_SHARE = 3, 0.01
"""How often a way to say a word must occur, and in which share of its occurrences."""
MERGED = {
    "a": ("ə", "eɪ"), "an": ("ən",), "of": ("əv",), "the": ("ðə", "ðɪ"), "have": ("hɐv",), "been": ("bɪn", "bɛn"),
    "to": ("tə", "tʊ", "tu"),
    "her": ("hɚ",), "for": ("fɚ",), "or": ("ɚ",), "and": ("ən", "ənd"), "was": ("wəz",), "them": ("ðəm",),
}  # fmt: skip
"""Ways that occur where espeak-ng joins words, or that a recognizer writes for them."""


class Says(Protocol):
    """A phonemizer."""

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]: ...


def plain(phonemes: str) -> str:
    """Phonemes without stress and length, which say little about which word it is."""
    return _LEFT_OUT.sub("", unicodedata.normalize("NFC", phonemes))


def alone(espeak: Says, words: Sequence[str], written: Sequence[str]) -> dict[str, Counter[str]]:
    """Each word by itself."""
    said = espeak.phonemize([show.rstrip(".") for show in written], "en")
    return {word: Counter({plain(each).replace(" ", ""): 1}) for word, each in zip(words, said, strict=True)}


def within(espeak: Says, sentences: Iterable[list[str]]) -> dict[str, Counter[str]]:
    """Words in sentences, where espeak-ng leaves as many words as there are."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    listed = list(sentences)
    for words, said in zip(listed, espeak.phonemize([" ".join(each) for each in listed], "en"), strict=True):
        parts = plain(said).split()
        if len(parts) == len(words):
            for word, part in zip(words, parts, strict=True):
                found[word.lower()][part] += 1
    return found


def mixed(
    by_itself: Mapping[str, Counter[str]], in_sentences: Mapping[str, Counter[str]]
) -> dict[str, dict[str, float]]:
    """The ways to say each word and their shares."""
    found: dict[str, dict[str, float]] = {}
    for word, first in by_itself.items():
        counts = Counter(in_sentences.get(word, Counter()))
        total = max(sum(counts.values()), 1)
        kept = {way: n for way, n in counts.items() if n >= LEAST and n >= LEAST_SHARE * total}
        for way in first:
            kept[way] = kept.get(way, 0) + max(1, total // 20)
        for way in MERGED.get(word, ()):
            kept[way] = kept.get(way, 0) + max(1, total // 20)
        whole = sum(kept.values())
        found[word] = {way: n / whole for way, n in sorted(kept.items()) if way}
    return found
