"""The journal: one line of JSON for each row that is done or failed, appended as it happens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from vall_e_core import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

SYNC_SECONDS = 1.0
"""What is younger than this may be lost when the machine dies; its outputs are then adopted from their records."""


STATES = ("done", "failed", "crashed")
"""Of a row that is over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    id: str
    key: str
    status: Literal["done", "failed", "crashed"]
    out: str
    """Relative to the batch's folder."""
    seed: int | None = None
    sha256: str | None = None
    size: int = 0
    """Of the file, in bytes."""
    seconds: float = 0.0
    spent: float = 0.0
    tries: int = 0
    verdict: str | None = None
    error: Mapping[str, str] | None = None
    heard: str | None = None
    """The phonemes of a transcript."""
    at: float = 0.0
    """When it was written, in seconds since 1970."""

    @classmethod
    def parse(cls, line: bytes) -> Entry | None:
        """A line, or None where it isn't whole, or from a program that says other things."""
        try:
            value = json.loads(line)
            entry = cls(**value)
            valid = isinstance(entry.key, str) and isinstance(entry.out, str) and entry.status in STATES
        except (ValueError, TypeError):
            return None
        return entry if valid else None


class Journal:
    """Appends entries, for `with`. Only one run at a time may write a journal."""

    def __init__(self, path: Path) -> None:
        """Open it, and cut off a last line that isn't whole. Raises InputError."""
        self._path = path
        try:
            self._file = path.open("ab+", buffering=0)
        except OSError as error:
            raise InputError(f"can't write {path}", cause=error.strerror) from error
        if not _lock(self._file.fileno()):
            self._file.close()
            raise InputError(
                f"another run is writing {path}", try_="wait for it, or --shard I/N for several runs on one folder"
            )
        _cut_torn(self._file.fileno())
        self._synced = time.monotonic()

    def append(self, entry: Entry) -> None:
        """Write an entry. Raises InputError where it can't be."""
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError("only a part of the line could be written")
            if time.monotonic() - self._synced >= SYNC_SECONDS:
                self.sync()
        except OSError as error:
            raise InputError(
                f"can't write {self._path}", cause=error.strerror or str(error), try_="free some disk space; run again"
            ) from error

    def sync(self) -> None:
        """What was written reaches the disk."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.sync()
        except OSError:
            """What is lost is adopted by the next run."""
        self._file.close()


def read_journals(folder: Path) -> Iterator[Entry]:
    """The entries of all journals in a folder, oldest first. A line that isn't whole is left out.

    Raises InputError where a journal can't be read.
    """
    found: list[Entry] = []
    for path in sorted(folder.glob("journal.*.jsonl")):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"can't read {path}", cause=error.strerror) from error
        lines = data.split(b"\n")
        found += [entry for line in lines[:-1] if (entry := Entry.parse(line)) is not None]
    return iter(sorted(found, key=lambda each: each.at))


def _cut_torn(descriptor: int) -> None:
    """Remove what stands behind the last newline."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - 65536)
        os.lseek(descriptor, start, os.SEEK_SET)
        at = os.read(descriptor, end - start).rfind(b"\n")
        if at >= 0:
            end = start + at + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
