"""Parts of recordings that a manifest names by an offset and a length, for what takes whole recordings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vall_e_audio import AudioClip


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a recording."""

    source: Path
    start: float
    """Seconds."""
    seconds: float | None
    """None: up to the end."""
    path: Path
    """Where it is kept as a file, so that a record can name what was used."""

    def clip(self) -> AudioClip:
        """The sound. Raises InputError."""
        from vall_e_audio import read_audio

        return read_audio(
            self.source, start_seconds=self.start, max_seconds=self.seconds, min_seconds=0.0, allow_silence=True
        )

    def file(self) -> Path:
        """The file, written if it isn't there. Raises InputError."""
        from vall_e_audio import AudioWriter, read_audio
        from vall_e_files import open_output

        if not self.path.exists():
            rate = self.clip().original_rate
            clip = read_audio(self.source, sample_rate=rate, start_seconds=self.start, max_seconds=self.seconds)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open_output(self.path, overwrite=True) as out:
                with AudioWriter(out.file, rate, format="wav") as writer:
                    writer.write(clip.samples)
                out.commit()
        return self.path
