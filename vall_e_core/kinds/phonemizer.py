"""Phonemizers: text to phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from ..component import BuildContext, Component


class Phonemizer(Component):
    """Turns text into the phonemes a model was trained on."""

    kind = "phonemizer"
    reads: ClassVar[Literal["words", "phonemes"]] = "words"
    """What it is given: `phonemes` are never normalized."""

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> PhonemizerModel: ...


@runtime_checkable
class PhonemizerModel(Protocol):
    """A built phonemizer."""

    name: str

    def languages(self) -> Sequence[str]:
        """The language codes it knows."""
        ...

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        """One IPA string for each text: stress marked, punctuation kept, no space at the ends.

        Raises UsageError for a language it doesn't know, InputError for text it can't read.
        """
        ...
