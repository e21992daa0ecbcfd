"""What counts as IPA: lower-case Latin and IPA letters, Greek ones that IPA uses, modifiers, tones, punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from vall_e_core import InputError

_SCRIPTS = ("LATIN", "GREEK", "MODIFIER", "COMBINING", "CARON", "MACRON", "LONG", "RIGHTWARDS", "UPWARDS", "DOWNWARDS")
_TONE_NUMBERS = "12345"


class IpaPhonemizerModel:
    """Hands IPA through."""

    name = "ipa"

    def languages(self) -> Sequence[str]:
        """The codes that models have embeddings for; any other is taken as well, for the text says it all."""
        return ("de", "en", "fr", "ja", "ko", "zh")

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        """The texts with runs of white space as one space, in NFC. Raises InputError that shows what isn't IPA."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> str:
        result = " ".join(unicodedata.normalize("NFC", text).split())
        strange = sorted({char for char in result if not is_ipa(char)})
        if strange:
            shown = " ".join(f"{char!r} (U+{ord(char):04X})" for char in strange[:8])
            raise InputError(
                f"not IPA: {shown}{' …' if len(strange) > 8 else ''}",
                cause="--phonemizer ipa takes text that is phonemes already",
                try_="--phonemizer espeak for ordinary text",
            )
        return result


def is_ipa(char: str) -> bool:
    """Whether one character may stand in IPA."""
    if char == " " or char in _TONE_NUMBERS:
        return True
    category = unicodedata.category(char)
    if category in ("Ll", "Lm", "Lo", "Mn", "Sk"):
        return unicodedata.name(char, "").split(" ")[0] in _SCRIPTS
    return category[0] == "P" or char in "|‖↗↘↑↓=<>˩˨˧˦˥"
