"""`vall-e voices`: recordings encoded once and kept under a name, for `--voice NAME`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import LazyCommand, hookimpl, lazy_names

if TYPE_CHECKING:
    from .folder import CodesOrigin, SavedVoice, VoiceFolder, check_voice_name, saved_names, voices_home
    from .listing import all_voices
    from .making import VoiceReference, find_voice, make_voice, model_codec
    from .sound import sound_of
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".folder": ("CodesOrigin", "SavedVoice", "VoiceFolder", "saved_names", "voices_home", "check_voice_name"),
            ".listing": ("all_voices",),
            ".sound": ("sound_of",),
            ".making": ("VoiceReference", "find_voice", "make_voice", "model_codec"),
        },
    )


requires = ("stt",)


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `voices`."""
    return [LazyCommand("voices", "save, list, play and remove voices", "vall_e_voices.commands:voices")]


__all__ = [
    "CodesOrigin",
    "SavedVoice",
    "VoiceFolder",
    "VoiceReference",
    "all_voices",
    "check_voice_name",
    "find_voice",
    "make_voice",
    "model_codec",
    "saved_names",
    "sound_of",
    "voices_home",
]
