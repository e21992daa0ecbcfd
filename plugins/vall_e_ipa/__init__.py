"""For text that is phonemes already: no dictionary, no library, no language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Phonemizer, hookimpl

if TYPE_CHECKING:
    from vall_e_core import PhonemizerModel


class IpaPhonemizer(Phonemizer):
    """Reads the text as IPA: checks it and normalizes only spaces."""

    name = "ipa"
    reads = "phonemes"

    def build(self, ctx: BuildContext) -> PhonemizerModel:
        """Needs nothing and can't fail."""
        from .phonemizer import IpaPhonemizerModel

        return IpaPhonemizerModel()


@hookimpl
def vall_e_phonemizers() -> Iterable[type[Phonemizer]]:
    """What this plugin brings."""
    return [IpaPhonemizer]
