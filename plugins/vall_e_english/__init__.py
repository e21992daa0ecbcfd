"""English as it is read aloud: numbers, dates, money, units, abbreviations, symbols, addresses of the web."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from vall_e_core import BuildContext, Normalizer, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import NormalizerModel


@dataclass(frozen=True)
class EnglishNormalizer(Normalizer):
    """Numbers, dates, times, money, units, abbreviations, Roman numerals, symbols and web addresses as words.

    American, or British for `en-gb`: "one hundred and five", 5/1 as the fifth of January, pence.
    """

    name = "english"
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    emoji: Literal["name", "skip"] = param("name", help="name emoji, or leave them out")

    def build(self, ctx: BuildContext) -> NormalizerModel:
        """Needs nothing and can't fail."""
        from .normalizer import EnglishNormalizerModel

        return EnglishNormalizerModel(name_emoji=self.emoji == "name")


@hookimpl
def vall_e_normalizers() -> Iterable[type[Normalizer]]:
    """What this plugin brings."""
    return [EnglishNormalizer]
