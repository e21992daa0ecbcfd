"""What an EPUB says about itself: title, author, cover, the order of its documents, and where they are."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from vall_e_core import InputError

from .archive import Archive
from .contents import Cover
from .xml import Element, parse_xml

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
_FONTS = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
"""Ways to scramble fonts. They protect no text."""
_SCHEMES = (
    ("META-INF/sinf.xml", "Apple FairPlay"), ("META-INF/license.lcpl", "Readium LCP"),
    ("META-INF/rights.xml", "Adobe ADEPT"),
)  # fmt: skip
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png"}
_PAGES = ("html", "xml", "oeb")
"""Parts of the media types of documents: application/xhtml+xml, text/html, text/x-oeb1-document and others."""
_PAGE_SUFFIXES = (".xhtml", ".html", ".htm", ".xml")
_NO_PAGES = ("dtbncx", "svg", "smil", "css", "font", "image/")


@dataclass(frozen=True)
class Item:
    """A member that the package lists."""

    id: str
    path: str
    media_type: str
    properties: frozenset[str]

    @property
    def page(self) -> bool:
        """Whether it is a document with text, whatever its media type is called."""
        kind = self.media_type.lower()
        if any(each in kind for each in _NO_PAGES):
            return False
        return any(each in kind for each in _PAGES) or self.path.lower().endswith(_PAGE_SUFFIXES)


@dataclass(frozen=True)
class Package:
    """A book's package document."""

    title: str
    author: str
    language: str
    items: tuple[Item, ...]
    spine: tuple[Item, ...]
    """The documents in reading order."""
    nav: Item | None
    ncx: Item | None
    cover: Cover | None
    cover_pages: frozenset[str]
    """Paths of documents that show the cover and nothing else."""


def read_package(archive: Archive) -> Package:
    """The package of an open EPUB. Raises InputError for a protected book, and for one that can't be understood."""
    _refuse_protected(archive)
    path = _package_path(archive)
    root = parse_xml(archive.read(path), f"{archive.path}: {path}")
    package, folder = root.first("package"), posixpath.dirname(path)
    manifest = None if package is None else package.first("manifest")
    spine = None if package is None else package.first("spine")
    if package is None or manifest is None or spine is None:
        raise InputError(f"{archive.path}: {path} has no manifest or no spine", try_="convert the book with Calibre")
    items = {}
    for each in manifest.all("item"):
        href = resolve(folder, each.get("href"))
        if href is not None and each.get("id") not in items:
            properties = frozenset(each.get("properties").split())
            items[each.get("id")] = Item(each.get("id"), href, each.get("media-type"), properties)
    ordered = [items[each.get("idref")] for each in spine.all("itemref") if each.get("idref") in items]
    if not ordered:
        raise InputError(f"{archive.path}: {path} lists no documents in reading order")
    ncx = items.get(spine.get("toc")) or next((each for each in items.values() if "ncx" in each.media_type), None)
    metas = {each.get("name"): each.get("content") for each in package.all("meta") if each.get("name")}
    guide = {
        resolve(folder, each.get("href"))
        for each in package.all("reference")
        if each.get("type").lower() in ("cover", "coverpage", "other.ms-coverimage-standard")
    }
    return Package(
        _meta(package, "title"), _authors(package), _meta(package, "language"), tuple(items.values()),
        tuple(dict.fromkeys(ordered)), next((each for each in items.values() if "nav" in each.properties), None), ncx,
        _cover(archive, items, metas.get("cover", "")), frozenset(each for each in guide if each is not None),
    )  # fmt: skip


def resolve(folder: str, href: str) -> str | None:
    """The member that a link from a folder leads to, without its fragment; None if it leads out of the book."""
    try:
        parts = urlsplit(href.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path:
        return None
    found = posixpath.normpath(posixpath.join(folder, unquote(parts.path).replace("\\", "/")))
    return None if found.startswith(("../", "/")) else found


def fragment(href: str) -> str:
    """The name of the place within a document that a link leads to."""
    return unquote(href.strip().partition("#")[2])


def picture_type(data: bytes) -> str | None:
    """The media type of a JPEG or PNG file; None for anything else."""
    return next((kind for begins, kind in _PICTURES.items() if data.startswith(begins)), None)


def _package_path(archive: Archive) -> str:
    if archive.find(CONTAINER) is None:
        raise InputError(f"{archive.path} isn't an EPUB: it has no {CONTAINER}")
    root = parse_xml(archive.read(CONTAINER), f"{archive.path}: {CONTAINER}")
    for each in root.all("rootfile"):
        path = resolve("", each.get("full-path"))
        if path is not None and archive.find(path) is not None:
            return path
    raise InputError(f"{archive.path} isn't an EPUB: its {CONTAINER} names no package that is there")


def _refuse_protected(archive: Archive) -> None:
    if archive.find(ENCRYPTION) is None:
        return
    root = parse_xml(archive.read(ENCRYPTION), f"{archive.path}: {ENCRYPTION}")
    methods = {
        method.get("Algorithm") for each in root.all("EncryptedData") for method in each.children
        if method.name == "EncryptionMethod"
    }  # fmt: skip
    if methods - _FONTS:
        scheme = next((name for path, name in _SCHEMES if archive.find(path) is not None), "DRM")
        raise InputError(
            f"{archive.path} is protected ({scheme})", cause="its text is encrypted",
            try_="a copy without protection, from the shop or the author",
        )  # fmt: skip


def _meta(package: Element, name: str) -> str:
    return next((each.text for each in package.all(name) if each.text), "")


def _authors(package: Element) -> str:
    """The authors. Where roles are given, illustrators and translators aren't among them."""
    roles = {
        each.get("refines").removeprefix("#"): each.text
        for each in package.all("meta")
        if each.get("property") == "role" and each.get("refines")
    }
    people = [(each.text, each.get("role") or roles.get(each.get("id"), "")) for each in package.all("creator")]
    authors = [name for name, role in people if name and role in ("", "aut")]
    return ", ".join(dict.fromkeys(authors or [name for name, _ in people if name]))


def _cover(archive: Archive, items: dict[str, Item], named: str) -> Cover | None:
    """EPUB 3 marks it; EPUB 2 names its id in a meta element, or, by mistake, its path."""
    marked = [each for each in items.values() if "cover-image" in each.properties]
    by_id = [items[named]] if named in items else []
    by_path = [each for each in items.values() if named and each.path.endswith(named)]
    by_name = [
        each for each in items.values() if each.media_type.startswith("image/") and "cover" in each.path.lower()
    ]
    for item in (*marked, *by_id, *by_path, *by_name):
        if archive.find(item.path) is not None:
            data = archive.read(item.path)
            kind = picture_type(data)
            if kind is not None:
                return Cover(data, kind)
    return None
