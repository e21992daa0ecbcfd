"""A page of a book, XHTML or HTML of whatever quality, as blocks of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from vall_e_core import InputError

from .contents import Omissions
from .rules import (
    BLOCKS,
    CLOSES,
    CODE,
    EMPTY,
    HEADINGS,
    NOTE,
    NOTE_MARK,
    PAGE_NUMBER,
    PICTURE,
    is_note_mark,
    name_of,
    unseen,
)

DEEPEST = 200
_CHUNK = 1 << 16
_RISING = str.maketrans("0123456789-−+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")
_POWER = re.compile(r"[-+−]?\d{1,4}")
_STACKED = BLOCKS | {"a", "sup", "td", "th", "code"}
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_LONG_TAG, _MOST_ATTRIBUTES = 1 << 18, 1 << 16
"""Characters: of tags that are looked at closely, and of what these hold beside their quoted values."""
_LONGEST_COMMENT = 1 << 22
_PAGE_NUMBER = re.compile(r"\[(?:pg|page)\.?\s*[0-9ivxlc]{1,6}\]", re.IGNORECASE)


@dataclass
class Block:
    """A paragraph, a heading, a list item or a table row. `level` is a heading's, else 0."""

    text: str
    level: int = 0
    names: tuple[str, ...] = ()
    """Names of places that lie in it, or before it and after the block before."""
    rule: bool = False
    """Whether a line is drawn before it, which separates sections."""
    marked: bool = False
    """Whether it begins with a link that looks like a footnote's mark."""
    linked: int = 0
    """How many of its characters are links."""


@dataclass
class Page:
    """The blocks of a page, and what its head says."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""
    author: str = ""
    language: str = ""
    notes: set[str] = field(default_factory=set)
    """Where footnotes' marks lead to: links as they are written."""
    trailing: tuple[str, ...] = ()
    """Names of places after the last block."""


def read_page(text: str, where: str, omissions: Omissions, *, notes: bool = False) -> Page:
    """The blocks of a page.

    Args:
        text: HTML or XHTML.
        where: what it is called in errors.
        omissions: takes what is left out.
        notes: keep the text of footnotes.

    Raises InputError for a page that declares entities, is nested too deep, or whose markup never ends.
    """
    begin = text[:4096]
    if "<!ENTITY" in begin or "<!entity" in begin:
        raise InputError(f"{where} declares entities", cause="no book needs that, and attacks do")
    reader = _Reader(where, omissions, notes=notes)
    try:
        for at in range(0, len(text), _CHUNK):
            reader.feed(text[at : at + _CHUNK])
            reader.check()
    except AssertionError as error:  # a declaration that HTML doesn't have
        raise InputError(f"{where} can't be read", cause=str(error)) from error
    if len(reader.rawdata) > 4096:  # what never ends would be looked at again and again
        raise InputError(f"{where}: a tag or a comment never ends", try_="repair the book with Calibre")
    reader.close()
    return reader.finish()


@dataclass
class _Open:
    """An element that is open. `reason` is why its text isn't read; None if it is."""

    tag: str
    reason: str | None = None
    target: str = ""
    text: list[str] = field(default_factory=list)
    """Of what isn't read, and of a link, which may turn out to be a footnote's mark."""
    at: int = 0
    """How many pieces the block had before it."""
    raised: bool = False
    """Whether some of a link's text stands high."""


class _Reader(HTMLParser):
    def __init__(self, where: str, omissions: Omissions, *, notes: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._where, self._omissions, self._notes = where, omissions, notes
        self._page = Page()
        self._open: list[_Open] = []
        self._unseen = 0
        """How many open elements aren't read."""
        self._pieces: list[str] = []
        self._names: list[str] = []
        self._level = self._linked = self._pre = 0
        self._rule = self._marked = self._titled = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        name, given = name_of(tag), {key: value or "" for key, value in attrs}
        self._names += [given[key] for key in ("id", "name") if given.get(key) and (key == "id" or name == "a")]
        self._head(name, given)
        if name in EMPTY:
            self._empty(name, given)
            return
        while self._open and name in CLOSES.get(self._open[-1].tag, ()):
            self._close()
        reason = unseen(name, given)
        if reason == NOTE and self._notes:
            reason = None
        if name in BLOCKS and not self._unseen:
            self._end_block()
            self._level = HEADINGS.get(name, self._level)
            self._pre += name == "pre"
        if name == "code" and self._pre and not "".join(self._pieces).strip():
            reason = CODE
        if name == "a" and (reason == NOTE_MARK or any(each.reason == NOTE_MARK for each in self._open)):
            self._refer(given.get("href", ""))
        if name in _STACKED or reason is not None or self._unseen:
            self._open.append(_Open(name, reason, given.get("href", ""), at=len(self._pieces)))
            self._unseen += reason is not None
        if len(self._open) > DEEPEST:
            raise InputError(f"{self._where} is nested more than {DEEPEST} elements deep")

    def check(self) -> None:
        """Look at what has begun and not ended. A picture may be in an attribute, but nobody needs so many of them."""
        begun = self.rawdata
        if len(begun) > _LONGEST_COMMENT and not begun[1:2].isalpha():
            raise InputError(f"{self._where}: a comment never ends", try_="repair the book with Calibre")
        if len(begun) > _LONG_TAG and begun[1:2].isalpha() and len(_QUOTED.sub("", begun)) > _MOST_ATTRIBUTES:
            raise InputError(f"{self._where} has a tag that is too long")

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if name_of(tag) not in EMPTY:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        name = name_of(tag)
        self._titled = self._titled and name != "title"
        if name in EMPTY or not any(each.tag == name for each in self._open):
            return
        while self._close() != name:
            continue

    def handle_data(self, data: str) -> None:
        if self._titled:
            self._page.title += data
        if self._unseen:
            next(each for each in self._open if each.reason is not None).text.append(data)
            return
        raised = any(each.tag == "sup" for each in self._open)
        link = next((each for each in reversed(self._open) if each.tag == "a"), None)
        if link is not None:
            link.text.append(data)
            link.raised |= raised
        if raised and _POWER.fullmatch(data) and self._pieces and self._pieces[-1][-1:].isalnum():
            data = data.translate(_RISING)
        self._pieces.append(data if self._pre else " ".join(f"-{data}-".split())[1:-1])

    def unknown_decl(self, data: str) -> None:
        if data.startswith("CDATA["):
            self.handle_data(data.removeprefix("CDATA["))

    def _head(self, name: str, given: dict[str, str]) -> None:
        """What a page says about itself."""
        if name == "html":
            self._page.language = given.get("xml:lang") or given.get("lang") or ""
        elif name == "meta" and given.get("name", "").lower() == "author":
            self._page.author = given.get("content", "").strip()
        elif name == "title":
            self._titled = not self._page.title and any(each.tag == "head" for each in self._open)

    def _empty(self, name: str, given: dict[str, str]) -> None:
        if self._unseen:
            return
        if name == "br":
            self._pieces.append("\n")
        elif name == "hr":
            self._end_block()
            self._rule = True
        elif name in ("img", "image"):
            self._omissions.add(PICTURE, given.get("alt", ""))

    def _close(self) -> str:
        """The innermost element ends; its name."""
        last = self._open.pop()
        said = "".join(last.text)
        if last.reason is not None:
            self._unseen -= 1
            if last.reason and not self._unseen and (said.strip() or last.reason != NOTE_MARK):
                self._omissions.add(last.reason, said)
        elif self._unseen:
            return last.tag
        elif last.tag == "a":
            self._end_link(last, said.strip())
        if last.tag in BLOCKS and not self._unseen:
            self._end_block()
            self._level = 0 if last.tag in HEADINGS else self._level
            self._pre -= last.tag == "pre"
        elif last.tag in ("td", "th") and self._pieces:
            self._pieces.append("; ")
        return last.tag

    def _end_link(self, link: _Open, said: str) -> None:
        if not is_note_mark(said, link.target, raised=link.raised):
            self._linked += len(said)
            return
        self._refer(link.target, link.at)
        del self._pieces[link.at :]
        self._omissions.add(NOTE_MARK, said)

    def _refer(self, target: str, at: int | None = None) -> None:
        """A footnote's mark: it leads to the note, or, where a block begins with it, back to the text."""
        if "".join(self._pieces[:at]).strip():
            self._page.notes.add(target)
        else:
            self._marked = True

    def _end_block(self) -> None:
        said = "".join(self._pieces)
        for each in _PAGE_NUMBER.findall(said):
            self._omissions.add(PAGE_NUMBER, each)
        lines = [" ".join(line.split()) for line in _PAGE_NUMBER.sub("", said).split("\n")]
        text = "\n".join(line for line in lines if line).removesuffix(";").strip()
        if text:
            self._page.blocks.append(
                Block(text, self._level, tuple(self._names), self._rule, self._marked, self._linked)
            )
            self._names, self._rule = [], False
        self._pieces, self._linked, self._marked = [], 0, False

    def finish(self) -> Page:
        """The page, once all of it has been read."""
        while self._open:
            self._close()
        self._end_block()
        self._page.trailing = tuple(self._names)
        self._page.title = " ".join(self._page.title.split())
        return self._page
