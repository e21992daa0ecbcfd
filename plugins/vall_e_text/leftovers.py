"""What other formats leave behind in plain text: tags, entities, links and footnotes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from .assembly import Found
from .pieces import Piece, Stop, Words

_TAG = re.compile(r"</?(?P<name>[A-Za-z][\w:-]{0,30})(?P<rest>\s[^<>\n]{0,2000}|\s*/)?>|<!--[^\n]{0,400}?-->")
_ATTRIBUTE = re.compile(r"\s[\w:-]{1,60}\s?=\s?[\"']")
_INLINE = frozenset(
    {
        "a", "abbr", "b", "big", "c", "cite", "code", "del", "em", "font", "i", "ins", "kbd", "mark", "q", "rp", "rt",
        "ruby", "s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "v", "var", "wbr",
    }
)  # fmt: skip
"""With the two of subtitles for a class and a voice."""
_BREAKS = frozenset(
    {
        "article", "aside", "blockquote", "body", "br", "button", "dd", "div", "dl", "dt", "footer", "form", "h1", "h2",
        "h3", "h4", "h5", "h6", "header", "hr", "html", "img", "input", "label", "li", "main", "nav", "ol", "option",
        "p", "pre", "section", "speak", "summary", "table", "tbody", "td", "textarea", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,31}\d{0,2}|#\d{1,7}|#[xX][\dA-Fa-f]{1,6});")
_TARGET = r"\]\((?!/[^/()\n]{1,500}/\))(?=[^()\s]{0,2000}[/.#:])[^()\s]{1,2000}(?: \"[^\"\n]{0,300}\")?\)"
_LINK = re.compile(rf"!?\[(?P<label>[^\[\]\n]{{1,300}}){_TARGET}")
_AROUND_IMAGE = re.compile(rf"\[(?=!\[(?P<image>[^\[\]\n]{{0,300}}{_TARGET})(?P<target>{_TARGET}))")
_FOOTNOTE = re.compile(r"\[\^[^\[\]\s]{1,40}\](?:: ?)?")


def tags(text: str) -> Iterator[Found]:
    """Tags are left out, those of a block are stops; an entity is what it stands for."""
    for match in _TAG.finditer(text):
        name = (match["name"] or "").lower()
        if name in _BREAKS:
            yield Found(match.start(), match.end(), _stop)
        elif name in _INLINE or not name or _is_tag(match):
            yield Found(match.start(), match.end())
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


def _is_tag(match: re.Match[str]) -> bool:
    """Whether what stands between `<` and `>` is a tag of an unknown element, rather than a name or an address."""
    return match.group()[1] == "/" or match.group()[-2] == "/" or _ATTRIBUTE.match(match["rest"] or "") is not None


def _stop(start: int, end: int, _: str) -> Piece:
    return Stop(start, end)


def _saying(meant: str) -> Callable[[int, int, str], Piece]:
    return lambda start, end, written: Words(meant, start, end, written)
