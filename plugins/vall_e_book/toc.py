"""A book's table of contents, from EPUB 3's navigation document or EPUB 2's NCX."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .archive import Archive
from .package import Item, Package, fragment, resolve
from .xml import Element, parse_xml

Place = tuple[str, str]
"""A document's path, and a name within it; empty for its beginning."""


@dataclass(frozen=True)
class Entry:
    """A line of a table of contents."""

    title: str
    place: Place
    depth: int


def read_toc(archive: Archive, package: Package) -> list[Entry]:
    """The entries in order, from whichever table has more of them; none if there is no table."""
    nav = [] if package.nav is None else _read(archive, package.nav, _nav_entries)
    ncx = [] if package.ncx is None else _read(archive, package.ncx, _ncx_entries)
    return nav if len(nav) >= len(ncx) else ncx


def _read(archive: Archive, item: Item, entries: Callable[[Element, str], Iterator[Entry]]) -> list[Entry]:
    if archive.find(item.path) is None:
        return []
    root = parse_xml(archive.read(item.path), f"{archive.path}: {item.path}")
    return [each for each in entries(root, item.path) if each.title]


def _ncx_entries(root: Element, path: str) -> Iterator[Entry]:
    table = root.first("navMap")
    if table is not None:
        yield from _points(table, path, 0)


def _points(parent: Element, path: str, depth: int) -> Iterator[Entry]:
    for point in parent.children:
        if point.name != "navPoint":
            continue
        label = next((each for each in point.children if each.name == "navLabel"), None)
        content = next((each for each in point.children if each.name == "content"), None)
        place = None if content is None else _place(path, content.get("src"))
        if label is not None and place is not None:
            yield Entry(label.text, place, depth)
        yield from _points(point, path, depth + 1)


def _nav_entries(root: Element, path: str) -> Iterator[Entry]:
    tables = list(root.all("nav"))
    table = next((each for each in tables if "toc" in each.get("type").split()), tables[0] if tables else None)
    if table is not None:
        for each in table.children:
            if each.name == "ol":
                yield from _lines(each, path, 0)


def _lines(items: Element, path: str, depth: int) -> Iterator[Entry]:
    for item in items.children:
        for each in item.children:
            if each.name == "a":
                place = _place(path, each.get("href"))
                if place is not None:
                    yield Entry(each.text, place, depth)
            elif each.name == "ol":
                yield from _lines(each, path, depth + 1)


def _place(path: str, href: str) -> Place | None:
    if href.startswith("#"):
        return path, fragment(href)
    found = resolve(posixpath.dirname(path), href)
    return None if found is None else (found, fragment(href))
