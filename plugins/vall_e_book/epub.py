"""EPUB 2 and 3 as books."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from .archive import Archive
from .chapters import Start, make_chapters
from .contents import Book, Omissions
from .decoding import decode_page
from .package import Item, Package, fragment, read_package, resolve
from .page import Block, Page, read_page
from .rules import CONTENTS, COVER, NOTE
from .toc import Place, read_toc

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT_COVER = 200
"""Characters that a cover page may have."""


def read_epub(path: Path, *, notes: bool = False) -> Book:
    """An EPUB file as a book.

    Args:
        path: the file.
        notes: read footnotes where they stand.

    Raises InputError for a file that is protected, damaged or not an EPUB, or that goes beyond the limits.
    """
    omissions = Omissions()
    with Archive(path) as archive:
        package = read_package(archive)
        toc = read_toc(archive, package)
        pages = [
            (item, read_page(decode_page(archive.read(item.path), f"{path}: {item.path}"), f"{path}: {item.path}",
                             omissions, notes=notes))
            for item in package.spine
            if _wanted(item, package, omissions)
        ]  # fmt: skip
    pages = [each for each in pages if not _is_cover(*each, package, omissions)]
    blocks, places, documents = _joined(pages, set() if notes else _notes(pages), omissions)
    starts = []
    for entry in toc:
        at = places.get(entry.place, places.get((entry.place[0], "")))
        if at is not None:
            starts.append(Start(at, entry.title, entry.depth))
    title = package.title or path.stem
    chapters = make_chapters(blocks, starts, documents, omissions, title=title, notes=notes)
    return Book(title, package.author, package.language, package.cover, chapters, omissions.found())


def _wanted(item: Item, package: Package, omissions: Omissions) -> bool:
    if item == package.nav:
        omissions.add(CONTENTS, item.path)
        return False
    if not item.page:
        omissions.add("document that isn't text", item.path)
        return False
    return True


def _is_cover(item: Item, page: Page, package: Package, omissions: Omissions) -> bool:
    named = item.path in package.cover_pages or "cover" in item.id.lower() or "cover" in posixpath.basename(item.path)
    cover = named and sum(len(each.text) for each in page.blocks) <= _SHORT_COVER
    if cover:
        omissions.add(COVER, item.path)
    return cover


def _notes(pages: Sequence[tuple[Item, Page]]) -> set[Place]:
    """Where the marks of footnotes lead to."""
    found: set[Place] = set()
    for item, page in pages:
        for target in page.notes:
            path = item.path if target.startswith("#") else resolve(posixpath.dirname(item.path), target)
            if path is not None and fragment(target):
                found.add((path, fragment(target)))
    return found


def _joined(
    pages: Sequence[tuple[Item, Page]], notes: set[Place], omissions: Omissions
) -> tuple[list[Block], dict[Place, int], list[Start]]:
    """All blocks but notes, the number of the block at each place, and where documents begin."""
    blocks: list[Block] = []
    places: dict[Place, int] = {}
    documents: list[Start] = []
    titles = [page.title for _, page in pages]
    for item, page in pages:
        begin = len(blocks)
        places[item.path, ""] = begin
        for block in page.blocks:
            for name in block.names:
                places.setdefault((item.path, name), len(blocks))
            if block.marked and any((item.path, name) in notes for name in block.names):
                omissions.add(NOTE, block.text)
            else:
                blocks.append(block)
        for name in page.trailing:
            places.setdefault((item.path, name), len(blocks))
        if len(blocks) > begin:
            own = page.title if titles.count(page.title) == 1 else ""
            heading = next((each.text for each in blocks[begin:] if each.level), "")
            documents.append(Start(begin, " ".join(heading.split()) or own or f"Chapter {len(documents) + 1}"))
    return blocks, {place: at for place, at in places.items() if at < len(blocks)}, documents
