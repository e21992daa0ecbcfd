"""Which chapters of a book: what the user skips, asks for, or wants spoken by somebody else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from vall_e_core import UsageError, suggestion

from .contents import Book, Chapter, Omissions

Numbered = tuple[int, Chapter]
"""A chapter with its number in the book, from 1."""
_SPAN = re.compile(r"\s*(\d{1,6})\s*(?:(-)\s*(\d{1,6})?)?\s*")


def without(book: Book, skipped: Sequence[str]) -> Book:
    """A book without the chapters whose titles match, in any case; `*` stands for anything.

    Raises UsageError for a pattern that no title matches.
    """
    omissions, kept = Omissions(), list(book.chapters)
    for pattern in skipped:
        wanted = pattern.strip().casefold()
        found = [each for each in kept if fnmatchcase(each.title.casefold(), wanted)]
        if not found:
            titles = [each.title for each in book.chapters]
            raise UsageError(f"no chapter is called {pattern!r}", try_=suggestion(pattern, titles, "--list"))
        for each in found:
            omissions.add("chapter that you skip", each.title)
            kept.remove(each)
    return replace(book, chapters=tuple(kept), left_out=omissions.found(book.left_out))


def chosen(book: Book, spec: str | None) -> list[Numbered]:
    """The chapters that `3-7,9` names, in the book's order; all of them if nothing is named. Raises UsageError."""
    numbered = list(enumerate(book.chapters, 1))
    if spec is None:
        return numbered
    wanted: set[int] = set()
    for part in spec.split(","):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise UsageError(f"not a range of chapters: {part!r}", try_="--chapters 3-7, or 1,4,9-")
        first = int(match.group(1))
        last = first if match.group(2) is None else int(match.group(3) or len(numbered))
        if not 1 <= first <= last <= len(numbered):
            raise UsageError(f"there is no chapter {part.strip()}", cause=f"the book has {len(numbered)}")
        wanted |= set(range(first, last + 1))
    return [each for each in numbered if each[0] in wanted]


def with_voices(book: Book, given: Sequence[str]) -> Book:
    """A book in which `3=NAME` names the voice of chapter 3. Raises UsageError."""
    chapters = list(book.chapters)
    for each in given:
        number, equals, voice = each.partition("=")
        if not equals or not number.strip().isdecimal() or not voice.strip():
            raise UsageError(f"not a chapter and a voice: {each!r}", try_="--chapter-voice 3=heart")
        at = int(number)
        if not 1 <= at <= len(chapters):
            raise UsageError(f"there is no chapter {at}", cause=f"the book has {len(chapters)}", try_="--list")
        chapters[at - 1] = replace(chapters[at - 1], voice=voice.strip())
    return replace(book, chapters=tuple(chapters))
