"""Voices: packaged references."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ..component import Component


class Voice(Component):
    """A packaged reference voice."""

    kind = "voice"
    transcript: ClassVar[str] = ""
    language: ClassVar[str] = "en"

    def audio_path(self) -> Path:
        """The recording."""
        raise NotImplementedError(f"{type(self).__name__}.audio_path")
