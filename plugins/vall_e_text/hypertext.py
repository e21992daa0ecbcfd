"""HTML: what a page shows as words."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from html.parser import HTMLParser

from .assembly import tidy
from .pieces import Piece, Stop, Words

_PARAGRAPHS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "fieldset", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre",
        "section", "summary", "table", "ul",
    }
)  # fmt: skip
_LINES = frozenset({"br", "button", "caption", "dt", "label", "legend", "li", "option", "td", "textarea", "th", "tr"})
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_POWER = re.compile(r"[-+−]?\d{1,4}")
_REFERENCE = re.compile(r"\s*\[[^\[\]]{1,12}\]\s*")
_HIGH = str.maketrans("0123456789-−+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")
_UNSEEN = frozenset(
    {
        "head", "script", "style", "template", "noscript", "svg", "math", "canvas", "iframe", "object", "audio",
        "video", "rt", "rp", "select",
    }
)  # fmt: skip
_EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


def read_html(text: str) -> tuple[tuple[Piece, ...], int]:
    """HTML as pieces, and how many characters were removed.

    Scripts, styles, code blocks, what is hidden and the targets of links are left out; headings, list items and cells
    end in a stop.
    """
    return tidy(html_pieces(text), len(text))


def html_pieces(text: str) -> list[Piece]:
    """The pieces of HTML as they come, neither cleaned nor ended."""
    reader = _Reader(text)
    complete = text.rfind(">") + 1  # what is open at the end is text, and would be looked at again and again
    reader.feed(text[:complete])
    reader.close()
    if complete < len(text) and not reader.unseen:
        reader.pieces.append(Words(html.unescape(text[complete:]), complete, len(text)))
    return reader.pieces


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.pieces: list[Piece] = []
        self.unseen: list[str] = []
        """Elements that are open and whose text isn't shown."""
        self._text = text
        self._lines = [0]
        for at, char in enumerate(text):
            if char == "\n":
                self._lines.append(at + 1)
        self._code_from: int | None = None
        """How many pieces there were before the block of code that is open."""
        self._is_code = False
        self._raised = 0
        """How many elements of raised text are open."""

    def _place(self) -> int:
        line, column = self.getpos()
        return min(self._lines[line - 1] + column, len(self._text))

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self.unseen:
            if tag not in _EMPTY and tag == self.unseen[0]:
                self.unseen.append(tag)
            return
        given = dict(attrs)
        hidden = "hidden" in given or given.get("aria-hidden") == "true" or _HIDDEN.search(given.get("style") or "")
        if (tag in _UNSEEN or hidden) and tag not in _EMPTY:
            self.unseen.append(tag)
            return
        if tag == "pre":
            self._code_from, self._is_code = len(self.pieces), False
        elif tag == "code" and self._code_from is not None:
            self._is_code = True
        self._raised += tag == "sup"
        self._stop(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._stop(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.unseen:
            if tag == self.unseen[-1]:
                self.unseen.pop()
            return
        if tag == "pre":
            if self._is_code and self._code_from is not None:
                del self.pieces[self._code_from :]
            self._code_from = None
        self._raised -= tag == "sup" and self._raised > 0
        self._stop(tag)

    def handle_data(self, data: str) -> None:
        place = self._place()
        if self.unseen:
            return
        if self._raised and self._follows_word():
            if _REFERENCE.fullmatch(data):
                return
            if _POWER.fullmatch(data):
                data = data.translate(_HIGH)
        if self._code_from is None:
            self._say(data, place, place + len(data))
            return
        for line in data.splitlines(keepends=True):
            self._say(line, place, place + len(line))
            place += len(line)
            if line.endswith("\n"):
                self.pieces.append(Stop(place, place))

    def _follows_word(self) -> bool:
        last = self.pieces[-1] if self.pieces else None
        return isinstance(last, Words) and (last.text[-1:].isalnum() or last.text[-1:] in tuple(").,;:]"))

    def handle_entityref(self, name: str) -> None:
        self._reference(f"&{name}")

    def handle_charref(self, name: str) -> None:
        self._reference(f"&#{name}")

    def _reference(self, written: str) -> None:
        place = self._place()
        end = place + len(written)
        end += self._text[end : end + 1] == ";"
        if not self.unseen:
            meant = html.unescape(f"{written};")
            self._say(self._text[place:end] if meant == f"{written};" else meant, place, end)

    def _say(self, said: str, start: int, end: int) -> None:
        self.pieces.append(Words(said, start, min(end, len(self._text))))

    def _stop(self, tag: str) -> None:
        place = self._place()
        if tag in _PARAGRAPHS:
            self.pieces.append(Stop(place, place, paragraph=True))
        elif tag in _LINES:
            self.pieces.append(Stop(place, place))
