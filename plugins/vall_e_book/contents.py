"""What a book holds once it has been read: chapters of paragraphs, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paragraph:
    """Something that is said in one go. `text` is plain text, in which `[pause:2s]` and `[voice:NAME]` are marks."""

    text: str
    heading: bool = False
    section: bool = False
    """Whether a section begins with it: the silence before it is longer."""


@dataclass(frozen=True)
class Chapter:
    """A chapter. `voice` speaks it instead of the book's, if there is one."""

    title: str
    paragraphs: tuple[Paragraph, ...]
    voice: str | None = None

    @property
    def characters(self) -> int:
        """The length of its text."""
        return sum(len(each.text) for each in self.paragraphs)


@dataclass(frozen=True)
class Cover:
    """A picture: the bytes of a JPEG or PNG file."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class LeftOut:
    """Something in the file that isn't read aloud, how often it is there, and how the first one begins."""

    what: str
    count: int
    example: str = ""


@dataclass(frozen=True)
class Book:
    """A book as it is read aloud."""

    title: str
    author: str
    language: str
    """The code of its language; empty if the file doesn't say it."""
    cover: Cover | None
    chapters: tuple[Chapter, ...]
    left_out: tuple[LeftOut, ...] = ()


@dataclass
class Omissions:
    """Collects what is left out while a book is read."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, example: str = "", count: int = 1) -> None:
        """Note `count` things of one kind."""
        self.counts[what] = self.counts.get(what, 0) + count
        shown = " ".join(example.split())
        if shown and what not in self.examples:
            self.examples[what] = shown if len(shown) <= 60 else f"{shown[:59]}…"

    def found(self, earlier: Iterable[LeftOut] = ()) -> tuple[LeftOut, ...]:
        """All of them, after those that were known before."""
        new = (LeftOut(what, count, self.examples.get(what, "")) for what, count in self.counts.items())
        return (*earlier, *new)
