"""A text as somebody gave it, read as what it is: plain text, Markdown, HTML or SSML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from .lexicon import Lexicon
from .pieces import Piece
from .ssml import is_ssml

MARKUP = ("auto", "text", "markdown", "html", "ssml")
_SUFFIXES = {
    ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".xhtml": "html", ".ssml": "ssml",
}  # fmt: skip

_PAGE = re.compile(
    r"\ufeff?\s*(?:<!--(?:(?!-->).){0,2000}-->\s*)?<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Reading:
    """What a text says, piece by piece, before normalizers have seen it."""

    text: str
    """The text as it was given: what all places refer to."""
    pieces: tuple[Piece, ...]
    removed: int
    """Characters left out because they can be neither seen nor spoken."""
    markup: str
    """What it was read as."""


def read(
    text: str, *, markup: str = "auto", language: str = "en", lexicon: Lexicon | None = None, name: str = ""
) -> Reading:
    """The pieces of a text.

    Args:
        markup: one of `MARKUP`; `auto` takes `<speak>` for SSML, `<html>` for HTML, Markdown and HTML by the file's
            name, and everything else for plain text with whatever tags and entities are left in it.
        lexicon: how single words are said.
        name: the file that it comes from.

    Raises InputError for markup that can't be read.
    """
    kind = settle_markup(text, markup, name)
    english = language.strip().lower().replace("_", "-").partition("-")[0] == "en"
    if kind == "markdown":
        from .markdown import read_markdown

        pieces, removed = read_markdown(text)
    elif kind == "html":
        from .hypertext import read_html

        pieces, removed = read_html(text)
    elif kind == "ssml":
        from .ssml import read_ssml

        pieces, removed = read_ssml(text, english=english)
    else:
        from .plain import read_plain

        pieces, removed = read_plain(text, english=english, literal=markup != "auto")
    return Reading(text, pieces if lexicon is None else lexicon.apply(pieces), removed, kind)


def settle_markup(text: str, markup: str, name: str = "") -> str:
    """What a text is read as: `text`, `markdown`, `html` or `ssml`."""
    if markup != "auto":
        return markup
    if is_ssml(text):
        return "ssml"
    return "html" if _PAGE.match(text) else _SUFFIXES.get(PurePath(name).suffix.lower(), "text")
