"""Text to phonemes by eSpeak NG. The library and its data come with the espeakng-loader package.

eSpeak NG and the phonemizer package are GPL-3: this plugin alone imports them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vall_e_core import BuildContext, Phonemizer, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import PhonemizerModel


@dataclass(frozen=True)
class EspeakPhonemizer(Phonemizer):
    """Phonemes by eSpeak NG, in more than a hundred languages: stress marked, punctuation kept."""

    name = "espeak"
    library: Path | None = param(
        None,
        primary=True,
        metavar="FILE",
        help="the espeak-ng library; otherwise $VALL_E_ESPEAK_LIBRARY, espeakng-loader, then the system's are tried",
    )
    tones: Literal["marks", "digits"] = param(
        "marks", help="how the tones of Mandarin are written: as the marks that published models know, or as 1-5"
    )

    def build(self, ctx: BuildContext) -> PhonemizerModel:
        """Load the library. Raises PluginError that names every place looked at."""
        from .phonemizer import build

        return build(self.library, tones=self.tones, notify=ctx.notify)


@hookimpl
def vall_e_phonemizers() -> Iterable[type[Phonemizer]]:
    """What this plugin brings."""
    return [EspeakPhonemizer]
