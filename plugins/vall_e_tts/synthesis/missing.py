"""What of a text isn't heard in a take: the phonemes wanted and heard, side by side, and the words that are missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: Above this share of wrong letters, or of letters with no counterpart at all, a take has lost something. Of 200 takes
#: of 120 sentences in four voices one had more; with their second half cut off 197 had, with their middle third cut out
#: all of them.
LOST_SHARE, MISSING_SHARE = 0.34, 0.18
#: The same in a voice that the model may not know, where its ear is kind to babble: takes in the voices of real people
#: that nobody could understand had 0.20 and more, and clear ones none or hardly any.
DOUBTFUL_SHARE = 0.15
#: Fewer wrong letters say nothing, however short the text: the ear errs as well.
LEAST_LETTERS = 5
#: A word is missing from this share of its letters on.
WORD_SHARE = 0.5
SHOWN_WORDS = 6


@dataclass(frozen=True)
class Heard:
    """What was heard of a part."""

    share: float
    """Of the letters, how many are wrong: missing, others, or too many."""
    wrong: int
    missing: float
    """Of the letters, how many have no counterpart."""
    words: tuple[str, ...]
    """Those that are missing, in order."""

    @property
    def lost(self) -> bool:
        """Whether too much is wrong for a take that only sounds unusual."""
        return self.wrong >= LEAST_LETTERS and (self.share > LOST_SHARE or self.missing > MISSING_SHARE)

    @property
    def doubtful(self) -> bool:
        """Whether so much is wrong that a take in a voice that the model may not know can't be trusted."""
        return self.wrong >= LEAST_LETTERS and self.share > DOUBTFUL_SHARE

    def finding(self) -> str:
        """The sentence for a take that lost something."""
        said = f"the model hears {max(0.0, 1 - self.share):.0%} of its sounds"
        if not self.words:
            return f"isn't its text: {said}"
        shown = " ".join(self.words[:SHOWN_WORDS]) + (" …" if len(self.words) > SHOWN_WORDS else "")
        return f"seems to lack {shown!r}: {said}"


def find_missing(text: str, wanted: str, heard: str) -> Heard | None:
    """What is missing of phonemes `wanted`, which say `text`, in those `heard`; None where there are no letters."""
    words = [found for word in wanted.split() if (found := letters(word))]
    letters_of = "".join(words)
    if not letters_of:
        return None
    total, skipped, same = _aligned(letters_of, letters(heard))
    spoken = [word for word in text.split() if any(map(str.isalnum, word))]
    names = spoken if len(spoken) == len(words) else words
    missing: list[str] = []
    at = 0
    for name, word in zip(names, words, strict=True):
        good = sum(same[at : at + len(word)])
        at += len(word)
        if len(word) - good > WORD_SHARE * len(word):
            missing.append(name.strip(".,;:!?\"'()"))
    return Heard(total / len(letters_of), total, skipped / len(letters_of), tuple(missing))


def letters(phonemes: str) -> str:
    """The letters of IPA: no stress, length or tone marks, punctuation or spaces."""
    return "".join(char for char in phonemes if unicodedata.category(char) in ("Ll", "Lu", "Lo"))


def _aligned(wanted: Sequence[str], heard: Sequence[str]) -> tuple[int, int, list[bool]]:
    """The least number of insertions, deletions and replacements, how many wanted letters are skipped then, and which
    have their equal."""
    table = [list(range(len(heard) + 1))]
    for i, left in enumerate(wanted, 1):
        above, row = table[-1], [i]
        for j, right in enumerate(heard, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (left != right)))
        table.append(row)
    same = [False] * len(wanted)
    i, j = len(wanted), len(heard)
    skipped = 0
    while i > 0 and j > 0:
        if table[i][j] == table[i - 1][j - 1] + (wanted[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            same[i] = wanted[i] == heard[j]
        elif table[i][j] == table[i - 1][j] + 1:
            i, skipped = i - 1, skipped + 1
        else:
            j -= 1
    return table[-1][-1], skipped + i, same
