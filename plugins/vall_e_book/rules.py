"""What an element of a book's page is: a block, a heading, or something that isn't read aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping

PAGE_NUMBER = "page number"
NOTE_MARK = "footnote mark"
NOTE = "footnote"
CONTENTS = "table of contents"
INDEX = "index"
COVER = "cover page"
LICENSE = "license of Project Gutenberg"
HIDDEN = "hidden text"
CODE = "code"
PICTURE = "picture"
MEDIA = "audio, video or drawing"

BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt",
        "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "html", "li",
        "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
HEADINGS = {f"h{level}": level for level in range(1, 7)}
EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "image", "input", "link", "meta", "source", "track", "wbr"}
)
CLOSES = {
    "p": BLOCKS - {"html", "body"}, "li": frozenset({"li"}), "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}), "tr": frozenset({"tr"}), "td": frozenset({"td", "th", "tr"}),
    "th": frozenset({"td", "th", "tr"}), "option": frozenset({"option"}),
    **dict.fromkeys(HEADINGS, frozenset({"p", *HEADINGS})),
}  # fmt: skip
"""Elements that may lack an end tag, and what ends them."""
_UNSEEN = {
    **dict.fromkeys(("head", "script", "style", "template", "noscript", "rt", "rp", "select", "button"), ""),
    **dict.fromkeys(("svg", "canvas", "iframe", "object", "audio", "video"), MEDIA),
}
_TYPES = {
    "pagebreak": PAGE_NUMBER, "page-list": PAGE_NUMBER, "noteref": NOTE_MARK, "backlink": NOTE_MARK,
    "footnote": NOTE, "footnotes": NOTE, "endnote": NOTE, "endnotes": NOTE, "rearnote": NOTE, "rearnotes": NOTE,
    "toc": CONTENTS, "landmarks": CONTENTS, "loi": CONTENTS, "lot": CONTENTS, "index": INDEX, "cover": COVER,
}  # fmt: skip
"""By `epub:type`, and by `role` without `doc-` in front."""
_CLASSES = {
    **dict.fromkeys(("pagenum", "pageno", "pagenumber", "page-number", "page-num", "pgnum"), PAGE_NUMBER),
    **dict.fromkeys(("fnanchor", "noteref", "footnote-ref", "footnoteref", "footnote-reference"), NOTE_MARK),
    **dict.fromkeys(("footnote", "footnotes", "endnote", "endnotes", "_idfootnotes", "_idfootnote"), NOTE),
    **dict.fromkeys(("pg-boilerplate", "pgheader", "pgfooter"), LICENSE),
}
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_MARK = re.compile(r"[\[({]?\s*(?:\d{1,4}|[ivxlc]{1,6}|[a-zA-Z]|[*†‡§¶#]{1,3})\s*[\])}]?\.?")
_NOTE_PLACE = re.compile(r"(?:^|[^a-z])(?:fn|ftn|foot|footnote|note|endnote|en|ref|r)[-_.]?[a-z]*\d", re.IGNORECASE)


def name_of(tag: str) -> str:
    """An element's name without its prefix."""
    return tag.rpartition(":")[2]


def unseen(tag: str, given: Mapping[str, str]) -> str | None:
    """Why an element isn't read aloud: what it is, an empty string for what no reader shows; None if it is read."""
    if tag in _UNSEEN:
        return _UNSEEN[tag]
    if "hidden" in given or given.get("aria-hidden") == "true" or _HIDDEN.search(given.get("style", "")):
        return HIDDEN
    types = given.get("epub:type", "").lower().split()
    roles = [each.removeprefix("doc-") for each in given.get("role", "").lower().split() if each.startswith("doc-")]
    for each in (*types, *roles):
        if each in _TYPES:
            return _TYPES[each]
    if "note" in types and tag == "aside":
        return NOTE
    classes = given.get("class", "").lower().split()
    found = next((_CLASSES[each] for each in classes if each in _CLASSES), None)
    if found is None and tag == "nav":
        return CONTENTS
    return NOTE_MARK if found == NOTE and tag in ("a", "sup", "span") else found


def is_note_mark(text: str, target: str, *, raised: bool) -> bool:
    """Whether a link is the mark of a footnote, by its text, where it leads, and whether it stands high."""
    shown = text.strip()
    if not _MARK.fullmatch(shown) or "#" not in target:
        return False
    bracketed = shown[:1] in "[({*†‡§¶"
    return raised or bracketed or bool(_NOTE_PLACE.search(target.partition("#")[2]))
