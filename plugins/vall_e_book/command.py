"""`vall-e book`: read, list, export."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vall_e_core import Session, UsageError

from .choosing import chosen, without
from .folder import write_folder
from .listing import listing, shown
from .reading import read_book

if TYPE_CHECKING:
    from . import Audiobook


def run(task: Audiobook, session: Session) -> None:
    """One run. The book is read, and everything that can be checked is checked, before a model is loaded."""
    book = without(read_book(task.file, notes=task.notes), task.skip)
    chapters = chosen(book, task.chapters)
    facts = listing(book, chapters)
    if task.export_text is not None:
        book = replace(book, chapters=tuple(each for _, each in chapters))
        files = write_folder(book, task.export_text, overwrite=task.overwrite)
        session.result({**facts, "files": [str(each) for each in files]}, f"{task.export_text}: {len(files)} files")
    elif task.list:
        session.result(facts, shown(facts))
    else:
        raise UsageError("nothing to do", try_="--list, or --export-text DIR")
