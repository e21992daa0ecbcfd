"""English spelling: from the phonemes that a model hears to written words, offline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, hookimpl
from vall_e_stt import Speller

if TYPE_CHECKING:
    from vall_e_stt import SpellerModel

requires = ("stt",)


class EnglishSpeller(Speller):
    """American English: 60,000 words as espeak-ng says them, and a trigram model that chooses among them."""

    name = "english"
    languages = frozenset({"en"})

    def build(self, ctx: BuildContext) -> SpellerModel:
        """Read the dictionary that the package has."""
        from .dictionary import load
        from .speller import EnglishSpellerModel

        return EnglishSpellerModel(load())


@hookimpl
def vall_e_spellers() -> Iterable[type[Speller]]:
    """What this plugin brings."""
    return [EnglishSpeller]


__all__ = ["EnglishSpeller"]
