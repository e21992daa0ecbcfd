"""What was to be heard against what was heard, phoneme by phoneme."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T", bound=Hashable)
NOTHING = "∅"
"""Stands for what wasn't there: heard instead of a phoneme that was left out, wanted where one was put in."""


def letters(phonemes: str) -> list[str]:
    """The letters of IPA: no stress, length or tone marks, punctuation or spaces."""
    return [char for char in phonemes if unicodedata.category(char) in ("Ll", "Lu", "Lo")]


@dataclass(frozen=True)
class Errors:
    """Levenshtein's count, and the number that were to be heard."""

    errors: int
    wanted: int


def count_errors(wanted: Sequence[T], heard: Sequence[T]) -> Errors:
    """Insertions, deletions and replacements that lead from one to the other."""
    return Errors(sum(left != right for left, right in pairs(wanted, heard)), len(wanted))


def pairs(wanted: Sequence[T], heard: Sequence[T]) -> Iterator[tuple[T | None, T | None]]:
    """The best alignment: what was wanted with what was heard in its place, None where there is nothing (by jiwer)."""
    if not wanted or not heard:
        yield from ((each, None) for each in wanted)
        yield from ((None, each) for each in heard)
        return
    import jiwer

    names: dict[T, str] = {}
    spelled = [[names.setdefault(each, str(len(names))) for each in side] for side in (wanted, heard)]
    (chunks,) = jiwer.process_words(" ".join(spelled[0]), " ".join(spelled[1])).alignments
    for chunk in chunks:
        left = wanted[chunk.ref_start_idx : chunk.ref_end_idx]
        right = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            yield from ((each, None) for each in left)
        elif chunk.type == "insert":
            yield from ((None, each) for each in right)
        else:
            yield from zip(left, right, strict=True)


def confusions(heard: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    """For every phoneme that was to be heard, what was heard instead and how often, from pairs of IPA texts."""
    table: dict[str, Counter[str]] = {}
    for wanted, said in heard:
        for left, right in pairs(letters(wanted), letters(said)):
            table.setdefault(left or NOTHING, Counter())[right or NOTHING] += 1
    return {key: table[key] for key in sorted(table, key=lambda key: (key == NOTHING, -table[key].total(), key))}
