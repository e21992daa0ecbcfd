"""SSML: pauses, pronunciations, pace, languages, how numbers are meant; other elements are read as what they hold."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.parsers import expat

from vall_e_core import InputError

from .assembly import pause_seconds, tidy
from .pieces import IPA, Pause, Piece, Stop, Words
from .say_as import said_as

_DOCTYPE = r"<!DOCTYPE(?:[^>\[\"']|\"[^\"]*\"|'[^']*'|\[.*?\]\s*(?=>))*>"
_PROLOG = re.compile(rf"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|{_DOCTYPE}\s*)*", re.DOTALL)
_SPEAK = re.compile(r"<(?:\w+:)?speak[\s/>]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DURATION = re.compile(r"\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*(ms|s)")
_STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.75, "x-strong": 1.0}
"""Seconds; the standard leaves them to the program."""
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_RATE = re.compile(r"([+-]?)(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(%?)")
SLOWEST, FASTEST = 0.25, 4.0
_HEAD = '<!DOCTYPE speak SYSTEM "-">'
"""With a document type that isn't read, an unknown entity is no error, and nothing can be declared."""
_SILENT = frozenset({"desc", "metadata", "meta", "lexicon", "lexeme"})


def is_ssml(text: str) -> bool:
    """Whether a text's root is `<speak>`."""
    prolog = _PROLOG.match(text.removeprefix("\ufeff"))
    return prolog is not None and _SPEAK.match(text.removeprefix("\ufeff"), prolog.end()) is not None


def read_ssml(text: str, *, english: bool = True) -> tuple[tuple[Piece, ...], int]:
    """SSML as pieces, and how many characters were removed. A text without a `<speak>` around it is taken as if it had.

    Comments, CDATA sections and document types are never read, entities are not expanded. Raises InputError for what
    isn't well formed, and for values that can't be used.
    """
    return tidy(_Reader(text, english).read(), len(text))


@dataclass
class _Element:
    name: str
    rate: float
    language: str
    start: int
    attributes: Mapping[str, str] | None = None
    """Of one that says how its text is spoken."""


class _Reader:
    def __init__(self, text: str, english: bool) -> None:
        self._text, self._english = text, english
        self._pieces: list[Piece] = []
        self._open: list[_Element] = []
        self._silent = 0
        """Elements around what is being read whose text isn't spoken."""
        self._content: list[Words] | None = None
        """The text within an element that says how it is spoken."""
        self._cdata = False
        self._byte = self._char = 0
        self._data = b""

    def read(self) -> list[Piece]:
        text = self._text
        body = text.removeprefix("\ufeff")
        begin = len(text) - len(body)
        prolog = _PROLOG.match(body)
        begin += 0 if prolog is None else prolog.end()
        clean = _NOT_XML.sub(" ", text[begin:])
        head, tail = (_HEAD, "") if _SPEAK.match(clean) else (f"{_HEAD}<speak>", "</speak>")
        self._data = f"{head}{clean}{tail}".encode()
        self._byte, self._char = len(head.encode()), begin
        parser = expat.ParserCreate("utf-8")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = False
        parser.StartElementHandler = lambda name, attributes: self._start(name, attributes, self._place(parser))
        parser.EndElementHandler = lambda name: self._end(self._place(parser))
        parser.CharacterDataHandler = lambda data: self._said(data, self._place(parser))
        parser.SkippedEntityHandler = lambda name, _: self._entity(name, self._place(parser))
        parser.StartCdataSectionHandler = lambda: self._section(True)
        parser.EndCdataSectionHandler = lambda: self._section(False)
        try:
            parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise InputError(
                "the SSML isn't well formed", cause=f"{expat.ErrorString(error.code)}, at {self._shown(parser)}",
                try_="--markup text reads it as it stands",
            ) from error  # fmt: skip
        return self._pieces

    def _shown(self, parser: expat.XMLParserType) -> str:
        at = max(0, parser.ErrorByteIndex)
        return repr(self._data[at : at + 40].decode("utf-8", "ignore")) if self._data[at:] else "its end"

    def _place(self, parser: expat.XMLParserType) -> int:
        """Where the parser is, in characters of the text."""
        at = parser.CurrentByteIndex
        if at > self._byte:
            self._char += len(self._data[self._byte : at].decode("utf-8", "ignore"))
            self._byte = at
        return min(self._char, len(self._text))

    def _section(self, inside: bool) -> None:
        self._cdata = inside

    def _start(self, qualified: str, attributes: Mapping[str, str], place: int) -> None:
        name = qualified.rpartition(":")[2].lower()
        rate, language = (self._open[-1].rate, self._open[-1].language) if self._open else (1.0, "")
        language = attributes.get("xml:lang", language).strip().lower().replace("_", "-")
        if name in _SILENT:
            self._silent += 1
        elif name == "break":
            self._pieces.append(Pause(_break(attributes), place, place))
        elif name in ("p", "s", "paragraph", "sentence"):
            self._stop(name, place)
        elif name == "prosody" and "rate" in attributes:
            rate = _rate(attributes["rate"], rate)
        elif name in ("sub", "phoneme", "say-as") and self._content is None:
            self._content = []
            self._open.append(_Element(name, rate, language, place, attributes))
            return
        self._open.append(_Element(name, rate, language, place))

    def _end(self, place: int) -> None:
        element = self._open.pop()
        if element.name in _SILENT:
            self._silent -= 1
        elif element.name in ("p", "s", "paragraph", "sentence"):
            self._stop(element.name, place)
        elif element.attributes is not None:
            content, self._content = self._content or [], None
            self._pieces += self._meant(element, element.attributes, content, place)

    def _stop(self, name: str, place: int) -> None:
        self._pieces.append(Stop(place, place, paragraph=name.startswith("p")))

    def _meant(self, element: _Element, given: Mapping[str, str], content: list[Words], place: int) -> list[Piece]:
        """What is said for the text of an element that says so."""
        start, end = (content[0].start, content[-1].end) if content else (place, place)
        written = " ".join("".join(each.text for each in content).split())
        if self._silent:
            return []
        if element.name == "sub" and "alias" in given:
            return [Words(given["alias"], start, end, written, element.rate, element.language)]
        if element.name == "phoneme" and given.get("ph", "").strip():
            if given.get("alphabet", "ipa").lower() != "ipa":
                raise InputError(
                    f"a phoneme in the alphabet {given['alphabet']!r}", cause="only ipa is supported",
                    try_='alphabet="ipa"'
                )
            return [IPA(given["ph"].strip(), start, end, written, element.rate)]
        if element.name == "say-as":
            kind = given.get("interpret-as", "")
            said = said_as(written, kind, given.get("format", ""), english=self._english)
            if said != written:
                return [Words(said, start, end, written, element.rate, element.language)]
        return list(content)

    def _entity(self, name: str, place: int) -> None:
        found = html.unescape(f"&{name};")
        self._said("" if found == f"&{name};" else found, place)

    def _said(self, data: str, place: int) -> None:
        if self._silent or self._cdata or not data:
            return
        end = place + len(data)
        if not self._text.startswith(data, place):
            semicolon = self._text.find(";", place)
            end = semicolon + 1 if self._text[place : place + 1] == "&" and semicolon >= 0 else place + 1
        rate, language = (self._open[-1].rate, self._open[-1].language) if self._open else (1.0, "")
        words = Words(data, place, end, rate=rate, language=language)
        (self._pieces if self._content is None else self._content).append(words)


def _break(attributes: Mapping[str, str]) -> float:
    """Seconds. Raises InputError."""
    time, strength = attributes.get("time"), attributes.get("strength", "medium")
    if time is not None:
        found = _DURATION.fullmatch(time.strip())
        if found is None:
            raise InputError(f"a break without a length: time={time!r}", try_='<break time="500ms"/>')
        return pause_seconds(float(found.group(1)) / (1000 if found.group(2) == "ms" else 1), f"time={time!r}")
    if strength not in _STRENGTHS:
        raise InputError(f"unknown strength of a break: {strength!r}", try_=f"one of {', '.join(_STRENGTHS)}")
    return _STRENGTHS[strength]


def _rate(given: str, around: float) -> float:
    """The pace within an element that asks for one. Raises InputError."""
    word = given.strip().lower()
    match = _RATE.fullmatch(word)
    if word in _RATES:
        factor = _RATES[word]
    elif match is None:
        raise InputError(f"unknown rate: {given!r}", try_=f"{', '.join(_RATES)}, or a percentage")
    else:
        number = float(match.group(2)) / (100 if match.group(3) else 1)
        factor = {"+": 1 + number, "-": 1 - number, "": number}[match.group(1)]
    if not SLOWEST <= around * factor <= FASTEST:
        raise InputError(f"a rate of {given!r}", cause=f"{SLOWEST:g} to {FASTEST:g} times the usual pace is possible")
    return around * factor
