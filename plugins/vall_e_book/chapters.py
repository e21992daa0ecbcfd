"""Blocks of text as chapters: by the table of contents if there is one, else by headings, else by documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .contents import Chapter, Omissions, Paragraph
from .page import Block
from .rules import CONTENTS, INDEX, LICENSE, NOTE

_ONLY_A_TITLE = 300
"""Characters before the first chapter of a part: what has more text of its own is a chapter with sections."""
_TITLE_PARAGRAPHS = 4
_LONGEST_TITLE = 200
_LINKS_IN_A_ROW = 4
_CONTENTS = frozenset(
    {"contents", "tableofcontents", "inhalt", "inhaltsverzeichnis", "tabledesmatières", "sommaire", "índice"}
)
_INDEX = frozenset({"index", "generalindex", "indexofnames", "subjectindex", "personenregister", "register"})
_NOTES = frozenset({"notes", "endnotes", "footnotes", "anmerkungen", "fußnoten"})
_GUTENBERG = re.compile(r"\*\*\*\s*(START|END) OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)


@dataclass(frozen=True)
class Start:
    """Where a chapter begins: the number of its first block, its title, and how deep it is in the table of contents."""

    at: int
    title: str
    depth: int = 0


def make_chapters(
    blocks: Sequence[Block], starts: Sequence[Start], documents: Sequence[Start], omissions: Omissions, *,
    title: str, notes: bool = False,
) -> tuple[Chapter, ...]:
    """The chapters of a book.

    Args:
        blocks: all text.
        starts: the table of contents; may be empty.
        documents: where documents begin, and their titles.
        omissions: takes what is left out.
        title: the book's, for a chapter that has none.
        notes: keep chapters of footnotes.
    """
    found = _chosen(starts, blocks)
    if len(found) < 2:
        found = _by_headings(blocks)
    if len(found) < 2 and len(documents) > 1:
        found = list(documents)
    if not found or found[0].at > 0:
        first = next((each.text for each in blocks[: found[0].at if found else None] if each.level), "")
        found.insert(0, Start(0, _on_one_line(first) or (title if len(found) == 0 else "Front matter")))
    boilerplate = _boilerplate(blocks)
    dropped = boilerplate | _contents(blocks)
    for at in sorted(dropped):
        omissions.add(LICENSE if at in boilerplate else CONTENTS, blocks[at].text)
    chapters: list[Chapter] = []
    lead: tuple[Paragraph, ...] = ()
    names: list[str] = []
    for start, end in pairwise([*found, Start(len(blocks), "")]):
        kept = [blocks[at] for at in range(start.at, end.at) if at not in dropped]
        chapter = _chapter(": ".join([*names, start.title]), start.title, kept, lead)
        whole = _whole(chapter, notes=notes)
        if whole is not None:
            omissions.add(whole, chapter.title)
        elif all(each.heading for each in chapter.paragraphs):  # such as a part's title page
            names += [start.title] if chapter.paragraphs and _letters(start.title) != _letters(title) else []
            lead = chapter.paragraphs
        else:
            chapters.append(chapter)
            lead, names = (), []
    for each in lead:
        omissions.add("heading without text", each.text)
    return tuple(chapters)


def _chosen(starts: Sequence[Start], blocks: Sequence[Block]) -> list[Start]:
    """The entries of a table of contents that are chapters: those of the first level, and the chapters of parts."""
    chosen: list[Start] = []

    def take(entries: Sequence[Start], lead: Start | None) -> None:
        at = 0
        while at < len(entries):
            entry = entries[at]
            end = at + 1
            while end < len(entries) and entries[end].depth > entry.depth:
                end += 1
            below = entries[at + 1 : end]
            first = entry if lead is None else replace(entry, at=lead.at, title=f"{lead.title}: {entry.title}")
            if below and _characters(blocks[entry.at : below[0].at]) <= _ONLY_A_TITLE and below[0].at >= entry.at:
                take(below, first)
            else:
                chosen.append(first)
            at, lead = end, None

    take(starts, None)
    by_place: dict[int, Start] = {}
    for each in chosen:
        by_place.setdefault(each.at, each)
    return [by_place[at] for at in sorted(by_place)]


def _characters(blocks: Iterable[Block]) -> int:
    return sum(len(each.text) for each in blocks)


def _by_headings(blocks: Sequence[Block]) -> list[Start]:
    """Headings of the highest level that there is more than one of."""
    counts = Counter(each.level for each in blocks if each.level)
    level = min((level for level, count in counts.items() if count > 1), default=None)
    if level is None:
        return []
    found: list[Start] = []
    for at, each in enumerate(blocks):
        if each.level == level:
            titled = found and all(other.level for other in blocks[found[-1].at : at])
            if titled:  # CHAPTER I, and its name as a heading of its own
                found[-1] = replace(found[-1], title=f"{found[-1].title}: {_on_one_line(each.text)}")
            else:
                found.append(Start(at, _on_one_line(each.text)))
    return found


def _boilerplate(blocks: Sequence[Block]) -> set[int]:
    """What Project Gutenberg puts around a book."""
    marks = [(at, match.group(1).lower()) for at, each in enumerate(blocks) if (match := _GUTENBERG.search(each.text))]
    begin = next((at + 1 for at, kind in marks if kind == "start"), 0)
    end = next((at for at, kind in marks if kind == "end" and at >= begin), len(blocks))
    return {*range(begin), *range(end, len(blocks))}


def _contents(blocks: Sequence[Block]) -> set[int]:
    """Lists of links, with the heading `Contents` above them."""
    found: set[int] = set()
    at = 0
    while at < len(blocks):
        end = at
        while end < len(blocks) and blocks[end].linked > 0.6 * len(blocks[end].text):
            end += 1
        headed = at > 0 and _letters(blocks[at - 1].text) in _CONTENTS
        if end - at >= _LINKS_IN_A_ROW or (end > at and headed):
            found |= {*range(at - headed, end)}
        at = max(end, at + 1)
    return found


def _whole(chapter: Chapter, *, notes: bool) -> str | None:
    """Why a whole chapter is left out; None if it is read."""
    name = _letters(chapter.title)
    if name in _INDEX:
        return INDEX
    if name in _NOTES and not notes and all(each.heading for each in chapter.paragraphs):
        return NOTE
    return None


def _chapter(title: str, own: str, blocks: Sequence[Block], lead: tuple[Paragraph, ...]) -> Chapter:
    """A chapter. `own` is the part of its title that its text may begin with, `lead` is said before it."""
    ornaments = [not any(map(str.isalnum, each.text)) for each in blocks]
    paragraphs: list[Paragraph] = []
    broken = False
    for block, ornament in zip(blocks, ornaments, strict=True):
        if ornament:
            broken = True
            continue
        heading = block.level > 0
        begins = broken or block.rule or heading
        after_heading = bool(paragraphs) and paragraphs[-1].heading
        paragraphs.append(
            Paragraph(block.text, heading, section=begins and bool(paragraphs) and not after_heading)
        )
        broken = False
    return Chapter(title, (*lead, *_titled(own, paragraphs)))


def _titled(title: str, paragraphs: list[Paragraph]) -> tuple[Paragraph, ...]:
    """Paragraphs that begin with the chapter's title, as headings; it is put there if it isn't in the text."""
    wanted, found = _letters(title), ""
    for at, each in enumerate(paragraphs[:_TITLE_PARAGRAPHS]):
        if each.heading or len(each.text) > _LONGEST_TITLE:
            break
        found += _letters(each.text)
        if not wanted.startswith(found):
            break
        if found == wanted and at + 1 < len(paragraphs):
            headed = (replace(one, heading=True, section=False) for one in paragraphs[: at + 1])
            return (*headed, *paragraphs[at + 1 :])
    if not paragraphs or any(each.heading for each in paragraphs[:2]) or wanted in ("", found):
        return tuple(paragraphs)
    return (Paragraph(title, heading=True), *paragraphs)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _on_one_line(text: str) -> str:
    """A heading's lines as a title."""
    lines = [line.strip() for line in text.split("\n")]
    return " ".join(f"{line}:" if line[-1:].isalnum() else line for line in lines[:-1]) + (
        f" {lines[-1]}" if len(lines) > 1 else lines[-1]
    )
