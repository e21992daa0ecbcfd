"""Normalizers: written words to spoken ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from ..component import BuildContext, Component


class Normalizer(Component):
    """Says how written words are read aloud: numbers, abbreviations, symbols.

    It replaces ranges of the words it gets and sees nothing else: no IPA, pauses or stops.
    """

    kind = "normalizer"
    languages: ClassVar[frozenset[str]] = frozenset()
    """The language codes it covers; `en` covers `en-us` and `en-gb` too."""
    idempotent: ClassVar[bool] = False
    """Whether it promises to leave alone what it has made."""

    @classmethod
    def serves(cls, language: str) -> bool:
        """Whether it covers a language such as `en` or `en-us`."""
        code = language.strip().lower().replace("_", "-")
        return code in cls.languages or code.partition("-")[0] in cls.languages

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> NormalizerModel: ...


@dataclass(frozen=True)
class Replacement:
    """What is said instead of the characters `start` up to `end` of a text; an empty `text` says nothing."""

    start: int
    end: int
    text: str


@runtime_checkable
class NormalizerModel(Protocol):
    """A built normalizer."""

    def replacements(self, text: str, language: str) -> Iterable[Replacement]:
        """The replacements in order, without overlap; the rest of the text stays.

        `text` is a run of words in one language: cleaned text without markup, IPA, pauses or line ends. A replacement
        holds words and the marks `. , ; : ? !`, and no line end.
        """
        ...
