"""`vall-e book`: a book as an audiobook with chapters, cover and subtitles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import Session, Task, hookimpl, lazy_names, param

if TYPE_CHECKING:
    from .contents import Book, Chapter, Cover, LeftOut, Paragraph
    from .folder import write_folder
    from .reading import read_book
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".contents": ("Book", "Chapter", "Cover", "LeftOut", "Paragraph"),
            ".folder": ("write_folder",),
            ".reading": ("read_book",),
        },
    )


@dataclass(frozen=True)
class Audiobook(Task):
    """Make an audiobook of FILE: an EPUB, Markdown, HTML or text file, or a folder that --export-text has written."""

    name = "book"

    file: Path = param(positional=True, metavar="FILE", help="the book: .epub, .md, .html, .txt, or a folder of texts")
    overwrite: bool = param(False, help="replace files that exist", aliases=("-y",))
    list: bool = param(False, help="show the chapters with their minutes, and what is left out; make nothing")
    export_text: Path | None = param(
        None, metavar="DIR", help="write the text of each chapter into this folder, to be edited and read again"
    )
    chapters: str | None = param(None, metavar="3-7,9", help="only these chapters, by their numbers in --list")
    skip: tuple[str, ...] = param(
        (), multiple=True, metavar="TITLE", help="leave out chapters with this title; * stands for anything; repeatable"
    )
    notes: bool = param(False, help="read footnotes where they stand; by default they are left out")

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)


@hookimpl
def vall_e_tasks() -> Iterable[type[Task]]:
    return [Audiobook]


__all__ = [
    "Audiobook", "Book", "Chapter", "Cover", "LeftOut", "Paragraph", "read_book", "write_folder",
]  # fmt: skip
