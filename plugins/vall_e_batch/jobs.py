"""Rows that have been checked: each with its key, its seed and its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from vall_e_core import UsageError, VallEError, suggestion
from vall_e_text import estimate_seconds

from .excerpts import Excerpt
from .keys import Keys
from .rows import ManifestError, Problem, Row, row_seed
from .settling import BATCH_FORMATS, SUFFIXES, Defaults, Hearing, HearingSettler, Manner, Settler, digest

if TYPE_CHECKING:
    from vall_e_audio import AudioClip
    from vall_e_core import Registry

    from .identity import Sources

MOST_IN_A_FOLDER = 10_000
"""Rows; where there are more, files go into folders by the hash of their id."""
EXCERPTS = "references"
"""The folder of parts of recordings, within the batch's."""
LONGEST_TEXT = 1_000_000
"""Characters of a row: about 20 hours of speech."""
LONGEST_ID = 180
"""Bytes; files' names have suffixes behind it."""
_BAD_IN_ID = re.compile(r'[/\\\x00-\x1f\x7f\ud800-\udfff:*?"<>|]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_KNOWN = {suffix: name for name, suffix in SUFFIXES.items() if suffix != ".pcm"}


@dataclass(frozen=True, slots=True)
class Job:
    """A row that can be made."""

    index: int
    """Of the row in its batch."""
    row: Row
    key: str
    out: str
    """Its file, relative to the batch's folder, with slashes."""
    seed: int
    manner: Manner | Hearing
    format: str
    voice: str | None = None
    ref: tuple[Path, ...] = ()
    ref_text: str | None = None
    excerpt: Excerpt | None = None
    """The part of the reference or recording that counts."""

    @property
    def recording(self) -> Path | AudioClip:
        """What is transcribed. Raises InputError for a part of a file that can't be read."""
        assert self.row.audio is not None
        return self.row.audio if self.excerpt is None else self.excerpt.clip()

    @property
    def hears(self) -> bool:
        """Whether a recording is transcribed."""
        return isinstance(self.manner, Hearing)

    @property
    def speaking(self) -> Manner:
        """How it is spoken."""
        assert isinstance(self.manner, Manner)
        return self.manner

    @property
    def hearing(self) -> Hearing:
        """How it is transcribed."""
        assert isinstance(self.manner, Hearing)
        return self.manner

    @property
    def expected(self) -> float:
        """Seconds of speech that the text usually takes; of a recording, 1."""
        return 1.0 if self.hears else estimate_seconds(self.row.text)


class Planner:
    """Checks rows, and makes jobs of them. All that is wrong is told at once."""

    def __init__(
        self, registry: Registry, defaults: Defaults, identity: str, sources: Sources, folder: Path
    ) -> None:
        self._folder, self._sources = folder, sources
        self._defaults = defaults
        self._keys = Keys(identity, sources)
        self._settler = Settler(registry, defaults)
        self._hearing = HearingSettler(registry, defaults)
        self._batch_seed = defaults.options.seed or 0
        self._folders = False

    def plan(self, rows: Sequence[Row], name: str, problems: Iterable[Problem] = ()) -> list[Job]:
        """The jobs of all rows, in order.

        Args:
            rows: what is to be made.
            name: the manifest's, for the message.
            problems: what was wrong with it so far.

        Raises:
            ManifestError: with every problem of every row.
        """
        found, jobs = list(problems), []
        self._folders = len(rows) > MOST_IN_A_FOLDER
        ids: dict[str, Row] = {}
        outs: dict[str, Row] = {}
        for index, row in enumerate(rows):
            try:
                _check_id(row.id)
                _once(ids, row.id.casefold(), row, f"the id {row.id!r} is used twice")
                job = self._job(index, row)
                _once(outs, job.out.casefold(), row, f"the file {job.out} is written twice")
                jobs.append(job)
            except VallEError as error:
                found.append(Problem(row.line, _line(error, row)))
        if found:
            raise ManifestError(name, sorted(found, key=lambda each: each.line or 0))
        return jobs

    def _job(self, index: int, row: Row) -> Job:
        defaults = self._defaults
        if defaults.hearing is not None:
            return self._heard(index, row)
        if not row.text.strip():
            raise UsageError("there is no text")
        if len(row.text) > LONGEST_TEXT:
            raise UsageError(
                f"the text has {len(row.text)} characters", cause=f"at most {LONGEST_TEXT} are possible",
                try_="several rows, or vall-e book for a book",
            )  # fmt: skip
        if row.voice is not None and row.ref:
            raise UsageError("voice and ref are both given", try_="leave one out")
        own = row.voice is not None or bool(row.ref)
        voice = row.voice if own else defaults.voice
        ref = row.ref if own else defaults.ref
        ref_text = row.ref_text if own or row.ref_text is not None else defaults.ref_text
        manner = self._settler.settle(row)
        seed = _checked_seed(row.settings["seed"]) if "seed" in row.settings else row_seed(self._batch_seed, row.id)
        format = self._format(row)
        out = self._out(row, format)
        excerpt = self._excerpt(row, row.ref[0]) if row.span is not None and ref and ref is row.ref else None
        ref = ref if excerpt is None else (excerpt.path,)
        return self._keyed(Job(index, row, "", out, seed, manner, format, voice, ref, ref_text, excerpt))

    def _heard(self, index: int, row: Row) -> Job:
        """A recording to be transcribed."""
        if row.audio is None:
            raise UsageError("there is no recording", try_="a field audio, or audio_filepath as NeMo has it")
        manner = self._hearing.settle(row)
        out = self._out(row, "txt")
        excerpt = None if row.span is None else self._excerpt(row, row.audio)
        return self._keyed(Job(index, row, "", out, manner.options.seed or 0, manner, "txt", excerpt=excerpt))

    def _keyed(self, job: Job) -> Job:
        return replace(job, key=self._keys.of(job))

    def _excerpt(self, row: Row, source: Path) -> Excerpt:
        """The part of a recording that a row names."""
        assert row.span is not None
        start, seconds = row.span
        name = digest([self._sources.file(source), str(start), str(seconds)])[:20]
        return Excerpt(source, start, seconds, self._folder.absolute() / EXCERPTS / f"{name}.wav")

    def _format(self, row: Row) -> str:
        suffix = None if row.out is None else PurePosixPath(row.out).suffix.lower()
        named = None if suffix is None else _KNOWN.get(suffix)
        chosen = row.format or named or self._defaults.format
        if chosen not in BATCH_FORMATS:
            raise UsageError(f"unknown format {chosen!r}", try_=suggestion(chosen, BATCH_FORMATS))
        if suffix is not None and suffix != SUFFIXES[chosen]:
            raise UsageError(f"{row.out!r} isn't a {chosen} file", try_=f"a name ending with {SUFFIXES[chosen]}")
        return chosen

    def _out(self, row: Row, format: str) -> str:
        if row.out is None:
            name = f"{row.id}{SUFFIXES[format]}"
            return f"{sha256(row.id.encode()).hexdigest()[:2]}/{name}" if self._folders else name
        path = PurePosixPath(row.out)
        if path.is_absolute() or not path.parts:
            raise UsageError(f"out has to be a name inside the folder, not {row.out!r}")
        for each in path.parts:
            if each == ".." or _BAD_IN_ID.search(each) or each.startswith(".") or _DEVICE.fullmatch(each):
                raise UsageError(f"out can't be {row.out!r}", cause=f"{each!r} can't be a name in it")
        return str(path)


def _check_id(row_id: str) -> None:
    if not row_id or row_id.startswith(".") or row_id != row_id.strip():
        raise UsageError(f"an id can't be {row_id!r}", cause="it names a file")
    if found := _BAD_IN_ID.search(row_id):
        raise UsageError(f"an id can't be {row_id!r}", cause=f"{found.group()!r} can't be in a file's name")
    if _DEVICE.fullmatch(row_id) or len(row_id.encode()) > LONGEST_ID:
        raise UsageError(f"an id can't be {row_id!r}", cause=f"it names a file, of {LONGEST_ID} bytes at most")


def _once(taken: dict[str, Row], name: str, row: Row, message: str) -> None:
    first = taken.setdefault(name, row)
    if first is not row:
        where = "" if first.line is None else f"; first in line {first.line}"
        raise UsageError(f"{message}{where}")


def _checked_seed(seed: object) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"a seed is a whole number from 0 on, not {seed!r}")
    return seed


def _line(error: VallEError, row: Row) -> str:
    """An error as one line, with the row's id where it has no line."""
    where = f"{row.id}: " if row.line is None else ""
    detail = "".join(f"; {each}" for each in (error.cause, error.try_) if each is not None)
    return f"{where}{error.message}{detail}"


def sections(jobs: Sequence[Job], size: int = 1024) -> Iterator[Job]:
    """In sections of the batch's order, each with its longest first, so that rows beside each other end together."""
    for start in range(0, len(jobs), size):
        yield from sorted(jobs[start : start + size], key=lambda each: (-each.expected, each.index))
