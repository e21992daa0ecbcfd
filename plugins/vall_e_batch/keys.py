"""The key of a job: a hash of all that can be heard in its output."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import UsageError

from .settling import digest

if TYPE_CHECKING:
    from .identity import Sources
    from .jobs import Job


class Keys:
    """The keys of jobs, as this machine's files make them."""

    def __init__(self, identity: str, sources: Sources) -> None:
        """`identity` is the model's hash; `sources` knows voices and recordings."""
        self._identity, self._sources = identity, sources
        self._voices: dict[tuple[object, ...], str] = {}

    def of(self, job: Job) -> str:
        """A job's key. Raises UsageError for a voice that isn't there, InputError for a file that can't be read."""
        facts = job.manner.facts
        where = [] if job.excerpt is None else [f"{job.excerpt.start}+{job.excerpt.seconds}"]
        if job.hears:
            assert job.row.audio is not None
            return digest([self._identity, facts, "txt", self._sources.file(job.row.audio), *where])
        ref = job.ref if job.excerpt is None else (job.excerpt.source,)
        source = self._source(job.voice, ref, job.ref_text)
        fallback = job.speaking.options.voice_fallback
        others = [] if fallback is None else [self._sources.voice(fallback)]
        text = unicodedata.normalize("NFC", job.row.text)
        return digest([self._identity, facts, job.format, str(job.seed), text, source, *others, *where])

    def _source(self, voice: str | None, ref: tuple[Path, ...], ref_text: str | None) -> str:
        """A hash of whose voice it is."""
        asked = (voice, ref, ref_text)
        if asked not in self._voices:
            if voice is None and not ref:
                raise UsageError("there is no voice", try_="a field voice or ref, or --voice NAME for all rows")
            parts = [self._sources.reference(each) for each in ref] if voice is None else [self._sources.voice(voice)]
            self._voices[asked] = digest([*parts, "" if ref_text is None else f"={ref_text}"])
        return self._voices[asked]
