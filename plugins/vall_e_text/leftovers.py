"""What other formats leave behind in plain text: tags, entities, links and footnotes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Container, Iterator

from .assembly import Found
from .pieces import Piece, Stop, Words

_TAG = re.compile(
    r"</?(?P<name>[A-Za-z][\w:-]{0,30})(?P<rest>\s[^<>\n]{0,2000}|\s*/)?>|<!--[^\n]{0,400}?-->"
    r"|<(?:\d\d:)?\d\d:\d\d\.\d{3}>"
)
"""Times are those of words in subtitles."""
_ATTRIBUTE = re.compile(r"\s[\w:-]{1,60}\s?=\s?[\"']")
_ALONE = frozenset({"a", "b", "br", "em", "hr", "i", "li", "p", "s", "td", "th", "tr", "u", "ul", "wbr"})
"""Known without the tag that ends them: `<code>` may be a place to fill in."""
_BREAKS = frozenset(
    {
        "article", "aside", "blockquote", "body", "br", "button", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2",
        "h3", "h4", "h5", "h6", "header", "hr", "html", "img", "input", "label", "li", "main", "nav", "ol", "option",
        "p", "pre", "section", "speak", "summary", "table", "tbody", "td", "textarea", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,31}\d{0,2}|#\d{1,7}|#[xX][\dA-Fa-f]{1,6});")
_TARGET = r"\]\((?!/[^/\n]{1,500}/\))(?=[^()\s]{0,2000}[/.#:])[^()\s]{1,2000}(?: \"[^\"\n]{0,300}\")?\)"
_LINK = re.compile(rf"!?\[(?P<label>[^\[\]\n]{{1,300}}){_TARGET}")
_AROUND_IMAGE = re.compile(rf"\[(?=!\[(?P<image>[^\[\]\n]{{0,300}}{_TARGET})(?P<target>{_TARGET}))")
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]{1,40}\](?:: ?)?")


def tags(text: str) -> Iterator[Found]:
    """Tags are left out, those of a block are stops; an entity is what it stands for."""
    matches = list(_TAG.finditer(text))
    closed = {match["name"].lower() for match in matches if match.group()[1] == "/"}
    for match in matches:
        name = (match["name"] or "").lower()
        if not name or _is_tag(match, name, closed):
            yield Found(match.start(), match.end(), _stop if name in _BREAKS else None)
    for match in _ENTITY.finditer(text):
        meant = html.unescape(match.group())
        if meant != match.group():
            yield Found(match.start(), match.end(), _saying(meant))


def links(text: str) -> Iterator[Found]:
    """Of a link its words are left."""
    for match in _LINK.finditer(text):
        yield Found(match.start(), match.start("label"))
        yield Found(match.end("label"), match.end())
    for match in _AROUND_IMAGE.finditer(text):
        yield Found(match.start(), match.end())
        yield Found(*match.span("target"))


def footnotes(text: str) -> Iterator[Found]:
    """The marks of footnotes, `[^1]`, in the text and before the note."""
    for match in _FOOTNOTE.finditer(text):
        yield Found(match.start(), match.end())


def _is_tag(match: re.Match[str], name: str, closed: Container[str]) -> bool:
    """Whether what stands between `<` and `>` is a tag, rather than a name, an address, or a part of a formula."""
    written, rest = match.group(), match["rest"] or ""
    if written[1] == "/" or written[-2] == "/" or _ATTRIBUTE.match(rest) or (name == "v" and name == match["name"]):
        return True
    return not rest.strip() and (name in closed or name in _ALONE)


def _stop(start: int, end: int, _: str) -> Piece:
    return Stop(start, end)


def _saying(meant: str) -> Callable[[int, int, str], Piece]:
    return lambda start, end, written: Words(meant, start, end, written)
