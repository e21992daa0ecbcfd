"""Markdown: what a document says, without its marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .assembly import assembled, tidy
from .hypertext import html_pieces
from .leftovers import footnotes
from .pieces import Piece, Stop, Words
from .plain import pauses

if TYPE_CHECKING:
    from markdown_it.token import Token

_LINE_END = re.compile(r"\r\n?|\n")
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(?:.*\r?\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")
_TASK = re.compile(r"\[[ xX]\] ")
_BREAK = re.compile(r"<br\b", re.IGNORECASE)


def read_markdown(text: str) -> tuple[tuple[Piece, ...], int]:
    """Markdown as pieces, and how many characters were removed.

    Headings, list items and cells end in a stop; code blocks, the targets of links, images and a document's front
    matter are left out. Raises InputError for a pause that can't be made.
    """
    return tidy(_Reader(text).read(), len(text))


class _Reader:
    def __init__(self, text: str) -> None:
        front = _FRONT_MATTER.match(text)
        self._text, self._begin = text, front.end() if front else 0
        self._lines = [self._begin, *(match.end() for match in _LINE_END.finditer(text, self._begin)), len(text)]
        self._cursor = self._begin

    def read(self) -> Iterator[Piece]:
        from markdown_it import MarkdownIt

        parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        item = False
        for token in parser.parse(self._text[self._begin :]):
            if token.type == "inline" and token.map:
                start, self._end = self._lines[token.map[0]], self._lines[min(token.map[1], len(self._lines) - 1)]
                self._cursor = max(self._cursor, start)
                for at, child in enumerate(token.children or ()):
                    yield from self._inline(child, task=item and at == 0)
                item = False
            elif token.type == "list_item_open":
                item = True
            elif token.type == "html_block" and token.map:
                start, end = self._lines[token.map[0]], self._lines[min(token.map[1], len(self._lines) - 1)]
                for piece in html_pieces(self._text[start:end]):
                    yield replace(piece, start=piece.start + start, end=piece.end + start)
                self._cursor = max(self._cursor, end)
            elif token.type in ("heading_close", "hr") or (token.type == "paragraph_close" and not token.hidden):
                yield Stop(self._cursor, self._cursor, paragraph=True)
            elif token.type in ("paragraph_close", "list_item_close", "td_close", "th_close"):
                yield Stop(self._cursor, self._cursor)

    def _inline(self, token: Token, *, task: bool) -> Iterator[Piece]:
        """`task`: whether a box may stand before it that is ticked when it is done."""
        if token.type in ("text", "code_inline"):
            box = _TASK.match(token.content) if task else None
            words = self._located(token.content if box is None else token.content[box.end() :])
            yield from assembled([words], [*pauses(words.text), *footnotes(words.text)])
        elif token.type == "softbreak":
            yield Words(" ", self._cursor, self._cursor)
        elif token.type == "hardbreak" or (token.type == "html_inline" and _BREAK.match(token.content)):
            yield Stop(self._cursor, self._cursor)

    def _located(self, content: str) -> Words:
        """Words with their place in the source. Where they stand there with escapes in them, that of their ends."""
        start = self._text.find(content, self._cursor, self._end)
        end = start + len(content)
        if start < 0:
            parts = content.split() or [content]
            start = max(self._text.find(parts[0], self._cursor, self._end), self._cursor)
            last = self._text.find(parts[-1], start, self._end)
            end = last + len(parts[-1]) if last >= 0 else start
        self._cursor = end
        return Words(content, start, end)
