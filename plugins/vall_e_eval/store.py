"""A run's folder: one record for each item, written whole or not at all, so that a run can be stopped and go on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_audio import write_audio
from vall_e_core import InputError, UsageError
from vall_e_files import check_folder, write_atomic, write_json

if TYPE_CHECKING:
    from .judged import Recording

SETTINGS, ITEMS, AUDIO = "settings.json", "items", "audio"


class Store:
    """The records of a run by the id of their item; in memory alone where there is no folder."""

    def __init__(self, folder: Path | None, settings: Mapping[str, object], *, overwrite: bool = False) -> None:
        """Open a folder: a new one, or one with the same settings, which goes on.

        Raises UsageError for one that holds a run with other settings (with `overwrite` that run is removed) or that
        holds something else, InputError where it can't be written.
        """
        self.folder = folder
        self.records: dict[str, dict[str, Any]] = {}
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"can't make the folder {folder}", cause=error.strerror) from error
        check_folder(folder)
        wanted = json.loads(json.dumps(settings))
        before = _read(folder / SETTINGS)
        if before is None and any(not each.name.startswith(".") for each in folder.iterdir()):
            raise UsageError(f"the folder isn't empty and has no evaluation in it: {folder}", try_="another one")
        if before is not None and before != wanted:
            changed = sorted(key for key in {*before, *wanted} if before.get(key) != wanted.get(key))
            if not overwrite:
                raise UsageError(
                    f"{folder} holds a run with other settings", cause=f"they differ in {', '.join(changed)}",
                    try_="-y to clear it, or another folder",
                )  # fmt: skip
            _clear(folder)
            before = None
        if before is None:
            write_json(folder / SETTINGS, wanted, overwrite=True)
        for name in (ITEMS, AUDIO):
            (folder / name).mkdir(exist_ok=True)
        for path in sorted((folder / ITEMS).glob("*.json")):
            found = _read(path)
            if found is not None:
                self.records[path.stem] = found

    def has(self, identity: str, key: str) -> bool:
        """Whether an item is done, from what `key` is the digest of."""
        return identity in self.records and self.records[identity].get("key") == key

    def add(self, identity: str, record: dict[str, Any]) -> None:
        """Keep one item's record; its audio has been written before."""
        kept: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
        if self.folder is not None:
            write_json(self.folder / ITEMS / f"{identity}.json", kept, overwrite=True)
        self.records[identity] = kept

    def audio(self, name: str) -> Path | None:
        """Where a recording of this run goes; None where nothing is kept."""
        return None if self.folder is None else self.folder / AUDIO / f"{name}.wav"

    def save(self, name: str, recording: Recording) -> None:
        """Keep a recording, whole or not at all."""
        path = self.audio(name)
        if path is not None:
            data = recording.wave
            write_atomic(
                path, lambda file: write_audio(file, data, recording.sample_rate, format="wav"), overwrite=True
            )

    def write(self, name: str, data: bytes) -> None:
        """A file of the report."""
        if self.folder is not None:
            write_atomic(self.folder / name, lambda file: file.write(data), overwrite=True)


def digest(value: object) -> str:
    """The sha256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None where there is none: a record that was damaged is made again."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _clear(folder: Path) -> None:
    """Remove what a run has left, and nothing else."""
    for name in (ITEMS, AUDIO):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in (folder / SETTINGS, *folder.glob("report.*"), *folder.glob("*.png")):
        path.unlink(missing_ok=True)
