"""Model sources: checkpoints that are packaged, or known by name and downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ..component import Component


class ModelSource(Component):
    """A known checkpoint: packaged, or to be downloaded."""

    kind = "model"
    title: ClassVar[str] = ""
    license: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """Bytes, if known."""
    url: ClassVar[str | None] = None
    sha256: ClassVar[str | None] = None
    """None if the publisher's hash isn't known."""
    default: ClassVar[bool] = False
    languages: ClassVar[frozenset[str]] = frozenset()
    """The language codes it was trained on; empty if unknown. A checkpoint's own `languages` take precedence."""
    tasks: ClassVar[frozenset[str]] = frozenset()
    """What it was trained to do with a recording (`tts`, `ns`, `sr`), besides a checkpoint's own; empty if unknown."""
    listens: ClassVar[bool] = False
    """Its transcription is good enough to judge its own takes by (`--listen auto`); a checkpoint's own goes first."""
    neutral_voice: ClassVar[str | None] = None
    """A packaged voice that it speaks clearly with, for level 0 of what it can't say like a strange reference."""

    def path(self, cache_dir: Path | None) -> Path | None:
        """Its file on this machine, or None."""
        raise NotImplementedError(f"{type(self).__name__}.path")
