"""A book as lines that are each spoken once, and the silences between them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vall_e_text import estimate_seconds

from .choosing import Numbered
from .contents import Chapter, Paragraph
from .marks import check_pauses, is_silent, plain, silence, stretches

TURN = 0.15
"""Seconds between two speakers within a paragraph."""


@dataclass(frozen=True)
class Pauses:
    """Silences, in seconds."""

    paragraph: float = 0.5
    section: float = 1.0
    chapter: float = 2.5


@dataclass(frozen=True)
class Line:
    """Something that is spoken in one go by one voice, and the silence after it.

    The `id` comes from what is said, by whom, and how often the same came before. So an edited paragraph is another
    line, and all others stay the same.
    """

    id: str
    text: str
    voice: str | None
    where: str
    """Chapter and paragraph, for messages."""
    pause: float = 0.0
    heading: bool = False


@dataclass(frozen=True)
class PlannedChapter:
    """A chapter as lines. `lead` is silence before the first one, in seconds."""

    number: int
    title: str
    lines: tuple[Line, ...]
    lead: float = 0.0


def plan_book(
    chapters: Sequence[Numbered], *, pauses: Pauses, quote_voice: str | None = None
) -> tuple[PlannedChapter, ...]:
    """The lines of all chapters, in order.

    Raises UsageError for a pause in the text that can't be made.
    """
    planner = _Planner(pauses, quote_voice)
    planned = [planner.chapter(number, each, last=number == chapters[-1][0]) for number, each in chapters]
    return tuple(each for each in planned if each.lines)


def preview(chapters: Sequence[PlannedChapter], seconds: float) -> tuple[PlannedChapter, ...]:
    """The beginning: whole lines until they take about so many seconds, at least one."""
    found, left = [], seconds
    for chapter in chapters:
        kept = []
        for line in chapter.lines:
            if left <= 0:
                break
            kept.append(line)
            left -= estimate_seconds(line.text) + line.pause
        if kept:
            found.append(PlannedChapter(chapter.number, chapter.title, tuple(kept), chapter.lead))
    return tuple(found)


@dataclass
class _Said:
    text: str
    voice: str | None
    where: str
    heading: bool
    pause: float = 0.0


class _Planner:
    def __init__(self, pauses: Pauses, quote_voice: str | None) -> None:
        self._pauses, self._quote_voice = pauses, quote_voice
        self._seen: Counter[tuple[str, str | None]] = Counter()

    def chapter(self, number: int, chapter: Chapter, *, last: bool) -> PlannedChapter:
        voice: str | None = None
        said: list[_Said] = []
        lead = 0.0
        before: Paragraph | None = None
        for at, paragraph in enumerate(chapter.paragraphs, 1):
            where = f"chapter {number} ({plain(chapter.title)}), paragraph {at}"
            check_pauses(paragraph.text, where)
            found, voice = stretches(paragraph.text, voice, self._quote_voice)
            if said and before is not None:
                said[-1].pause += self._between(before, paragraph)
            for index, each in enumerate(found):
                if is_silent(each.text):
                    seconds = silence(each.text)
                    if said:
                        said[-1].pause += seconds
                    else:
                        lead += seconds
                    continue
                if index and said:
                    said[-1].pause += TURN
                said.append(_Said(each.text, each.voice or chapter.voice, where, paragraph.heading))
            before = paragraph if found else before
        if said and not last:
            said[-1].pause += self._pauses.chapter
        return PlannedChapter(number, plain(chapter.title), tuple(map(self._line, said)), lead)

    def _between(self, before: Paragraph, after: Paragraph) -> float:
        return self._pauses.section if after.section or before.heading else self._pauses.paragraph

    def _line(self, said: _Said) -> Line:
        key = (said.text, said.voice)
        count = self._seen[key]
        self._seen[key] += 1
        name = hashlib.sha256("\n".join((said.text, said.voice or "", str(count))).encode("utf-8", "replace"))
        return Line(name.hexdigest()[:20], said.text, said.voice, said.where, said.pause, said.heading)
