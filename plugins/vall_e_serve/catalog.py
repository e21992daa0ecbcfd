"""Voices as clients name them: saved ones, packaged ones, and OpenAI's names, which stand for packaged ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vall_e_core import Registry, UsageError, VallEError, Voice
from vall_e_voices import VoiceFolder, all_voices

from .errors import HttpError

OPENAI_NAMES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
_SHOWN = 60


class Catalog:
    """The voices of a server."""

    def __init__(self, registry: Registry, mapped: Sequence[str] = ()) -> None:
        """Make a catalog.

        Args:
            registry: the plugins, which bring the packaged voices.
            mapped: `NAME=VOICE` for what an OpenAI name stands for.

        Raises:
            UsageError: for a mapping that isn't one, or to a voice that there isn't.
        """
        self._registry = registry
        packaged = sorted(registry.names(Voice.kind))
        self.aliases = {name: packaged[at % len(packaged)] for at, name in enumerate(OPENAI_NAMES) if packaged}
        for each in mapped:
            name, equals, voice = each.partition("=")
            if not equals or not name.strip():
                raise UsageError(f"--voice-map {each}: expected NAME=VOICE", try_="--voice-map alloy=heart")
            self.aliases[name.strip().lower()] = voice.strip()
        for name, voice in self.aliases.items():
            if not self._known(voice):
                raise UsageError(f"--voice-map {name}={voice}: there is no such voice", try_="vall-e voices list")

    @property
    def usual(self) -> str:
        """The voice of a request that names none. Raises HttpError where there is no packaged voice."""
        packaged = sorted(self._registry.names(Voice.kind))
        if not packaged:
            raise no_voice("", 400)
        return self.aliases.get(OPENAI_NAMES[0], packaged[0])

    def resolve(self, name: str) -> str:
        """The voice that a name stands for; a saved voice goes before an OpenAI name.

        Raises:
            HttpError: 400. The message is the same for names that are unknown and for those that can't be names.
        """
        if VoiceFolder().find(name) is not None:
            try:
                VoiceFolder().read(name, audio=False)
            except VallEError:  # it is no voice, whatever it is
                raise no_voice(name, 400) from None
            return name.lower()
        if self._known(name):
            return name.lower()
        found = self.aliases.get(name.lower())
        if found is None or not self._known(found):
            raise no_voice(name, 400)
        return found

    def own(self, name: str) -> str:
        """The name of a saved voice. Raises HttpError 404."""
        if VoiceFolder().find(name) is None:
            raise no_voice(name, 404)
        return name.lower()

    def is_packaged(self, name: str) -> bool:
        """Whether a packaged voice, or an OpenAI name, is called that."""
        return name in self._registry.names(Voice.kind) or name in self.aliases

    def listed(self) -> list[dict[str, Any]]:
        """Every voice that can be used, OpenAI's names behind the real ones."""
        found = [
            {
                "id": each["name"], "name": each["name"], "object": "audio.voice",
                "source": "saved" if each["kind"] == "own" else "packaged", "language": each["language"],
                "seconds": each["seconds"],
            }
            for each in all_voices(self._registry)
            if each["error"] is None
        ]  # fmt: skip
        names = {each["name"]: each for each in found}
        for name, voice in self.aliases.items():
            if name not in names and voice in names:
                found.append({**names[voice], "id": name, "name": name, "source": "alias", "stands_for": voice})
        return found

    def _known(self, name: str) -> bool:
        return VoiceFolder().find(name) is not None or name.lower() in self._registry.names(Voice.kind)


def no_voice(name: str, status: int) -> HttpError:
    """What is said of any name that is no voice's."""
    shown = "".join(char if char.isprintable() else " " for char in name[:_SHOWN])
    return HttpError(
        status, f"no voice is called {shown!r}; try: one of GET /v1/audio/voices", code="voice_not_found", param="voice"
    )
