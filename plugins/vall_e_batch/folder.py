"""The folder of a batch: what lies in it already, what another run has made, and who is working on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vall_e_core import InputError, UsageError
from vall_e_files import OutputTarget, check_folder, json_bytes, open_output, sha256_file, sweep

from .entries import entry_of
from .jobs import Job
from .journal import Entry, read_journals

LOCK = ".vall-e-batch.lock"


@contextmanager
def working_in(folder: Path, jobs: Sequence[Job]) -> Iterator[None]:
    """Make the folder, remove what killed runs have left in it, and tell others that somebody works here.

    Raises InputError where it can't be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {folder}", cause=error.strerror) from error
    check_folder(folder)
    with (folder / LOCK).open("ab") as file:
        if _flock(file.fileno(), exclusive=True):
            for each in folders_of(jobs):
                sweep(folder / each, alone=True)
        _flock(file.fileno(), exclusive=False, wait=True)
        yield


def is_worked_in(folder: Path) -> bool:
    """Whether a run is going on in a folder."""
    try:
        with (folder / LOCK).open("rb") as file:
            return not _flock(file.fileno(), exclusive=True)
    except OSError:
        return False


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Only one of several runs on a folder at a time."""
    with (folder / f"{LOCK}.results").open("ab") as file:
        _flock(file.fileno(), exclusive=True, wait=True)
        yield


class Scan:
    """What a folder holds of some jobs: from the journals, and for what they lack from the records beside the files."""

    def __init__(self, folder: Path, jobs: Sequence[Job]) -> None:
        """Read journals and folders; of the files only their sizes."""
        self.folder = folder
        self._sizes = sizes(folder, jobs)
        self._last: dict[str, Entry] = {each.out: each for each in read_journals(folder)}
        self._made = {
            each.key: each for each in self._last.values() if each.status == "done" and self._is_whole(each)
        }

    def known(self, job: Job) -> Entry | None:
        """What the journal says of a job; None where it isn't made, or its file is gone or of another size."""
        entry = self._last.get(job.out)
        if entry is None or entry.key != job.key:
            return None
        return entry if entry.status != "done" or self._is_whole(entry) else None

    def adopt(self, job: Job) -> Entry | None:
        """The entry of a whole output of a run that was killed before its journal was written; None without one.

        Raises UsageError for a file that no batch has made.
        """
        if job.out not in self._sizes:
            return None
        path = self.folder / job.out
        record = read_own_record(path)
        entry = self._last.get(job.out)
        if record is None and entry is None:
            raise UsageError(
                f"there is a file that no batch has made: {path}",
                try_="another folder or id, or --restart, which replaces it",
            )
        if record is None or record["batch"].get("key") != job.key:
            return None
        if record["output"]["sha256"] != sha256_file(path):
            return None
        return entry_of(job, record, self._sizes[job.out], 0.0)

    def twin(self, job: Job) -> Entry | None:
        """A finished output of the same key under another name."""
        return self._made.get(job.key)

    def remember(self, entry: Entry) -> None:
        """An output has been made meanwhile."""
        self._made[entry.key] = entry

    def _is_whole(self, entry: Entry) -> bool:
        return self._sizes.get(entry.out) == entry.size and f"{entry.out}.json" in self._sizes


def sizes(folder: Path, jobs: Sequence[Job]) -> dict[str, int]:
    """The sizes of the files in the folders that jobs use, by name relative to `folder`."""
    found: dict[str, int] = {}
    for each in folders_of(jobs):
        prefix = f"{each}/" if each else ""
        with suppress(OSError), os.scandir(folder / each) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_file():
                        found[prefix + entry.name] = entry.stat().st_size
    return found


def folders_of(jobs: Sequence[Job]) -> list[str]:
    """The folders that jobs use, relative to the batch's; the empty one is that itself."""
    return sorted({"", *(job.out.rpartition("/")[0] for job in jobs)})


def copy_output(folder: Path, source: Entry, job: Job) -> Entry:
    """Give a job the output of another with the same key. Raises InputError."""
    origin, path = folder / source.out, folder / job.out
    record = read_own_record(origin)
    if record is None:
        raise InputError(f"can't read the record beside {origin}")
    path.parent.mkdir(parents=True, exist_ok=True)
    target = OutputTarget(path, job.format, overwrite=True)
    record = {
        **record, "batch": {"id": job.row.id, "key": job.key}, "output": {**record["output"], "path": str(path)}
    }
    with open_output(path, overwrite=True) as out, origin.open("rb") as data:
        while block := data.read(1 << 20):
            out.file.write(block)
        out.commit(target.sidecar, json_bytes(record))
    return replace(entry_of(job, record, source.size, 0.0), tries=source.tries)


def read_own_record(path: Path) -> dict[str, Any] | None:
    """The record beside an output, where a batch has written it; else None."""
    try:
        record = json.loads(path.with_name(f"{path.name}.json").read_bytes())
        own = isinstance(record["batch"]["key"], str) and isinstance(record["output"]["sha256"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if own else None


def _flock(descriptor: int, *, exclusive: bool, wait: bool = False) -> bool:
    """Hold a file with others or alone, until it is closed; False where that can't be now."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
