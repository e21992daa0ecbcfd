"""`vall-e book`: a book as an audiobook with chapters, cover and subtitles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import LazyTask, hookimpl, lazy_names

if TYPE_CHECKING:
    from .contents import Book, Chapter, Cover, LeftOut, Paragraph
    from .folder import write_folder
    from .reading import read_book
    from .task import Audiobook
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".contents": ("Book", "Chapter", "Cover", "LeftOut", "Paragraph"),
            ".folder": ("write_folder",),
            ".reading": ("read_book",),
            ".task": ("Audiobook",),
        },
    )

requires = ("batch", "tts")


@hookimpl
def vall_e_tasks() -> Iterable[LazyTask]:
    return [
        LazyTask(
            "book", "Make an audiobook of FILE, with chapters, cover and subtitles.",
            "vall_e_book.task:Audiobook",
        ),
    ]


__all__ = [
    "Audiobook", "Book", "Chapter", "Cover", "LeftOut", "Paragraph", "read_book", "write_folder",
]  # fmt: skip
