"""Phonemes as the dictionary has them, which of them are taken for each other, and letters for what no word fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_LEFT_OUT = re.compile("[ˈˌː\u0329\u0361]")
_ALIKE: Mapping[int, str] = {
    0: "ɡg",
    2: "əɐ",
    4: "lɫ wʍ",
    6: "ɪᵻ",
    8: "tɾ ɜɚ",
    10: "əʌ əᵻ ɐʌ",
    12: "dɾ tʔ ɑɔ ɑa",
    14: "ɪi",
    16: "əɪ ɐᵻ iᵻ ʊu aæ",
    20: "ɹɚ ɐa ɛe ɔo",
    24: "sz ʃʒ θð əɚ ɐæ ɪɛ ɛæ ɑʌ",
    28: "td kɡ pb fv nŋ əɛ əʊ əu əa əæ əo ɛɜ ɑæ ʊʌ ʊo ʌɔ ɪe",
    32: "nm uo ie",
    36: "θf",
    40: "ðd",
    44: "θt ʃs",
}
"""Pairs of phonemes that are taken for each other, by what that costs in eighths of a nat."""
LACKING, EXTRA = 52, 60
"""Costs of a phoneme that isn't heard, and of one that is heard and isn't in the word, in eighths of a nat."""
_LIGHT = {"ə": 36, "ɪ": 40, "ᵻ": 36, "t": 36, "d": 36, "h": 36, "ɹ": 44, "ʊ": 40}
"""Phonemes that are lacking or extra more easily."""
_LETTERS = {
    "ɑ": "a", "æ": "a", "ɐ": "a", "ʌ": "u", "ɔ": "o", "ə": "a", "ɚ": "er", "ɜ": "ur", "ɛ": "e", "ɪ": "i", "ᵻ": "i",
    "i": "ee", "ʊ": "u", "u": "oo", "ɹ": "r", "ɾ": "t", "ʔ": "t", "ɡ": "g", "ŋ": "ng", "ʃ": "sh", "ʒ": "zh", "θ": "th",
    "ð": "th", "j": "y", "x": "kh", "ç": "h", "ɬ": "l", "ɲ": "ny", "ʋ": "v", "β": "b", "ɣ": "g", "χ": "kh", "ʁ": "r",
}  # fmt: skip
_TOGETHER = (
    ("tʃ", "ch"), ("dʒ", "j"), ("eɪ", "ay"), ("aɪ", "i"), ("ɔɪ", "oy"), ("aʊ", "ow"), ("oʊ", "o"), ("ks", "x"),
    ("kw", "qu"), ("ju", "u"), ("ɜɹ", "ur"), ("ɚɹ", "er"),
)  # fmt: skip


def plain(phonemes: str) -> str:
    """Phonemes without stress and length, which say little about which word it is."""
    return _LEFT_OUT.sub("", unicodedata.normalize("NFC", phonemes))


def alike() -> dict[str, dict[str, int]]:
    """What each phoneme may have been, with costs."""
    found: dict[str, dict[str, int]] = {}
    for cost, pairs in _ALIKE.items():
        for pair in pairs.split():
            found.setdefault(pair[0], {})[pair[1]] = cost
            found.setdefault(pair[1], {})[pair[0]] = cost
    return found


def lacking(phoneme: str) -> int:
    """The cost of a phoneme that isn't heard."""
    return _LIGHT.get(phoneme, LACKING)


def extra(phoneme: str) -> int:
    """The cost of one that is heard and isn't in the word."""
    return lacking(phoneme) + EXTRA - LACKING


LEAST_LACKING = min(_LIGHT.values())
LEAST_EXTRA = LEAST_LACKING + EXTRA - LACKING


def letters(phonemes: str) -> str:
    """How a name that no dictionary has may be written."""
    for group, written in _TOGETHER:
        phonemes = phonemes.replace(group, written.upper())
    return "".join(_LETTERS.get(char, char) for char in phonemes).lower()
