"""The task `stt`: speech to the phonemes a model was trained on, and to words by a speller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import Component, LazyTask, hookimpl, lazy_names

from .speller import Speller, SpellerModel, find_speller

if TYPE_CHECKING:
    from .options import HearingOptions
    from .results import Transcription
    from .transcription import hear_codes, require_stt, transcribe
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".options": ("HearingOptions",),
            ".results": ("Transcription",),
            ".transcription": ("hear_codes", "require_stt", "transcribe"),
        },
    )


requires = ("trace",)


@hookimpl
def vall_e_kinds() -> Iterable[type[Component]]:
    """The kind `speller`."""
    return [Speller]


@hookimpl
def vall_e_tasks() -> Iterable[LazyTask]:
    return [
        LazyTask(
            "stt", "Print the phonemes (IPA) heard in AUDIO, or with --spell its words.",
            "vall_e_stt.task:Stt",
        ),
    ]


__all__ = [
    "HearingOptions",
    "Speller",
    "SpellerModel",
    "Transcription",
    "find_speller",
    "hear_codes",
    "require_stt",
    "transcribe",
]
