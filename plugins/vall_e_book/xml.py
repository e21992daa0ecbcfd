"""The small XML files of an EPUB as trees. Document types that declare something are refused; nothing is fetched."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from vall_e_core import InputError

DEEPEST = 200


@dataclass
class Element:
    """An element: `name` without its prefix, attributes without theirs, and what is in it."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text within it, on one line."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        at = iter(self.children)
        for piece in self.pieces:
            if piece:
                yield piece
            else:
                yield from next(at)._texts()

    def get(self, name: str) -> str:
        """An attribute, or an empty string."""
        return self.attributes.get(name, "")

    def all(self, name: str) -> Iterator[Element]:
        """Every element of a name below it, in order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def first(self, name: str) -> Element | None:
        """The first of them."""
        return next(self.all(name), None)


def parse_xml(data: bytes, where: str) -> Element:
    """The root of a document.

    HTML's named entities are known, in whatever document: many books use them where they aren't declared.

    Raises InputError for one that isn't well-formed, declares entities, or is nested more than 200 deep.
    """
    root = Element("", {})
    path = [root]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(path) > DEEPEST:
            raise InputError(f"{where} is nested more than {DEEPEST} elements deep")
        made = Element(_bare(name), {_bare(key): value for key, value in attributes.items()})
        path[-1].children.append(made)
        path[-1].pieces.append("")
        path.append(made)

    def end(_: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].pieces.append(text)

    def entity(name: str, _: bool) -> None:
        characters(html.unescape(f"&{name};"))

    def declared(*_: object) -> None:
        raise InputError(f"{where} declares entities", cause="no EPUB needs that, and attacks do")

    def nothing(context: str | None, *_: object) -> int:
        parser.ExternalEntityParserCreate(context).Parse(b"", True)
        return 1

    parser = expat.ParserCreate()
    parser.UseForeignDTD(True)  # so that entities that aren't declared are skipped, not errors
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_UNLESS_STANDALONE)
    parser.ExternalEntityRefHandler = nothing
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.SkippedEntityHandler = entity
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise InputError(f"{where} isn't well-formed XML", cause=str(error)) from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise InputError(f"{where} can't be read", cause=str(error)) from error
    return root


def _bare(name: str) -> str:
    return name.rpartition(":")[2]
