"""A file or a folder as a book, whatever it is written in."""

from __future__ import annotations

import re
from pathlib import Path

from vall_e_core import InputError
from vall_e_text import decode_text, settle_markup

from .chapters import make_chapters
from .contents import Book, Omissions
from .decoding import decode_page
from .epub import read_epub
from .folder import read_folder
from .page import Page, read_page
from .plain import read_plain
from .rules import NOTE, NOTE_MARK

FORMATS = ".epub, .md, .html, .txt, or a folder of texts"
_LARGEST = 16 << 20
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n((?:.*\r?\n)*?)(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")
_NOTE = re.compile(r"^\[\^[^\]\s]{1,40}\]:[ \t]*(.*)$", re.MULTILINE)
_MARK = re.compile(r"\[\^[^\]\s]{1,40}\]")
_GUTENBERG = re.compile(r"^(Title|Author|Language):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_FACT = re.compile(r"[A-Z][\w ]{2,20}:.*")
_LANGUAGES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "dutch": "nl"}


def read_book(path: Path, *, notes: bool = False) -> Book:
    """A book from an EPUB file, Markdown, HTML, plain text, or a folder that `write_folder` made.

    Args:
        path: the file or folder.
        notes: read footnotes where they stand.

    Raises InputError for a file that can't be read as a book, or in which there is nothing to say.
    """
    if path.is_dir():
        book = read_folder(path)
    elif _is_zip(path):
        book = read_epub(path, notes=notes)
    else:
        book = _read_text(path, notes=notes)
    if not any(each.paragraphs for each in book.chapters):
        raise InputError(f"nothing to say: {path}", cause="there is no text in it but what is left out")
    return book


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4" or path.suffix.lower() == ".epub"
    except OSError as error:
        raise InputError(f"can't read {path}", cause=error.strerror or str(error)) from error


def _read_text(path: Path, *, notes: bool) -> Book:
    omissions = Omissions()
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise InputError(f"{path} is too large", cause=f"it holds more than {_LARGEST >> 20} MiB")
    html = path.suffix.lower() in (".html", ".htm", ".xhtml")
    text = decode_page(data, str(path)) if html else decode_text(data, str(path))
    kind = settle_markup(text, "auto", path.name)
    if kind == "html":
        page = read_page(text, str(path), omissions, notes=notes)
        blocks, title, author, language = page.blocks, page.title, page.author, page.language
    elif kind == "markdown":
        facts, text = _front_matter(text)
        page = _markdown(text, str(path), omissions, notes=notes)
        blocks, title, author = page.blocks, facts.get("title", ""), facts.get("author", "")
        language = facts.get("lang", facts.get("language", ""))
    else:
        blocks = read_plain(text)
        if blocks and "Title:" in blocks[0].text and all(map(_FACT.fullmatch, blocks[0].text.split("\n"))):
            omissions.add("facts about the book", blocks.pop(0).text)
        said = {key.lower(): value for key, value in _GUTENBERG.findall(text[:4000])}
        title, author = said.get("title", ""), said.get("author", "")
        language = _LANGUAGES.get(said.get("language", "").lower(), "")
    title = title or path.stem
    chapters = make_chapters(blocks, (), (), omissions, title=title, notes=notes)
    return Book(title, author, language, None, chapters, omissions.found())


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """What a Markdown document says about itself before its text, and the text."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    found = {}
    for line in match.group(1).splitlines():
        key, colon, value = line.partition(":")
        if colon and not line[:1].isspace():
            found[key.strip().lower()] = value.strip().strip("\"'")
    return found, text[match.end() :]


def _markdown(text: str, where: str, omissions: Omissions, *, notes: bool) -> Page:
    from markdown_it import MarkdownIt

    for note in () if notes else _NOTE.findall(text):
        omissions.add(NOTE, note)
    text = _NOTE.sub("\\n\\1\\n" if notes else "\n", text)
    for mark in _MARK.findall(text):
        omissions.add(NOTE_MARK, mark)
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return read_page(parser.render(_MARK.sub("", text)), where, omissions, notes=notes)
