"""Where a result goes: a file that appears whole or not at all, or standard output.

Nothing here imports numpy or torch: a target is checked before any work starts, and written when the work is done.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vall_e_core import InputError, UsageError, writing_stdout

from .atomic import PendingFile, open_output, sweep, write_atomic

STDOUT = "-"
#: File suffix -> the container that is written for it.
SUFFIXES: Mapping[str, str] = {".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".opus": "opus", ".mp3": "mp3"}
#: What `--format` takes: the containers, and raw little-endian samples.
FORMATS: tuple[str, ...] = (*SUFFIXES.values(), "pcm_s16le", "pcm_f32le")


@dataclass(frozen=True)
class OutputTarget:
    """A checked place for one result.

    `path` is None for standard output. `format` is one of `FORMATS`.
    """

    path: Path | None
    format: str
    overwrite: bool = False
    stream: TextIO | None = None
    """Where standard output is, if that isn't `sys.stdout` (see `Console.stdout`)."""

    @property
    def sidecar(self) -> Path | None:
        """The record's place beside the audio, or None for standard output."""
        return None if self.path is None else sidecar_path(self.path)

    def write(self, data: bytes, record: Mapping[str, object] | None = None) -> None:
        """Write all of `data`: atomically to the file, with the record beside it, if any, or to standard output.

        Raises InputError when the file can't be written, BrokenPipeError when the reader of standard output has gone.
        """
        if self.path is None:
            write_stdout(data, self.stream)
        else:
            with open_output(self.path, overwrite=self.overwrite) as out:
                out.file.write(data)
                out.commit(None if record is None else self.sidecar, json_bytes(record))


    @property
    def misleading(self) -> str | None:
        """What the file's name promises, where that is another format than the one it gets; else None."""
        promised = None if self.path is None else SUFFIXES.get(self.path.suffix.lower())
        return None if promised == self.format else promised


def sidecar_path(path: Path) -> Path:
    """`out.wav` -> `out.wav.json`."""
    return path.with_name(path.name + ".json")


def check_output(
    text: str, *, format: str | None = None, overwrite: bool = False, inputs: Iterable[Path] = (), sidecar: bool = True
) -> OutputTarget:
    """Check a destination before any work is done for it.

    Raises UsageError for an unknown suffix, a folder, an existing file without `overwrite` or an output that is also an
    input, and InputError for a folder that is missing or can't be written to.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"unknown format: {format}", try_=f"one of: {', '.join(FORMATS)}")
    if text == STDOUT:
        return OutputTarget(None, format or "wav")
    if not text or "\0" in text:
        raise UsageError("the output's name is empty" if not text else "the output's name holds a NUL character")
    path = _at_home(text)
    if path.is_dir():
        raise UsageError(f"the output is a folder: {path}", try_="a file name inside it")
    chosen = format or _format_of(path)
    check_file(path, overwrite=overwrite, inputs=inputs)
    if sidecar:
        record = sidecar_path(path)
        _check_name(record)
        if os.path.lexists(record) and not overwrite:
            raise UsageError(f"the record exists already: {record}", try_="-y to overwrite it, or --no-sidecar")
        if record.is_dir():
            raise UsageError(f"the record's place is a folder: {record}", try_="--no-sidecar")
    return OutputTarget(path, chosen, overwrite)


def check_file(path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Check that a file can be made at `path`; the errors are those of `check_output`."""
    for source in inputs:
        if _same_file(path, source):
            raise UsageError(
                f"the output is also an input: {path}",
                cause="it would be overwritten",
                try_="another name for the output",
            )
    if str(path) == "-":
        raise UsageError("standard output doesn't take this", try_="a file name")
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:
        raise InputError(f"can't write to {path}", cause=error.strerror) from error
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise UsageError(f"the output is a folder: {path}", try_="a file name inside it")
        if not stat.S_ISREG(mode):
            raise UsageError(f"the output isn't a regular file: {path}", try_="- for standard output")
        if not overwrite:
            raise UsageError(f"the output exists already: {path}", try_="-y to overwrite it, or another name")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Check that files can be made in `folder` by making one and removing it; InputError when they can't."""
    if not folder.is_dir():
        what = "the output's folder is a file" if folder.exists() else "the output's folder doesn't exist"
        raise InputError(f"{what}: {folder}", try_=f"mkdir -p {folder}")
    sweep(folder)
    try:
        with PendingFile(folder / "any", overwrite=False):
            pass
    except OSError as error:
        raise InputError(f"can't write to the folder {folder}", cause=error.strerror) from error


def write_json(path: Path, value: object, *, overwrite: bool = False) -> None:
    """Write `value` as indented JSON, atomically."""
    data = json_bytes(value)
    write_atomic(path, lambda file: file.write(data), overwrite=overwrite)


def json_bytes(value: object) -> bytes:
    """`value` as indented JSON, ready for a file."""
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode("utf-8", "replace")


def write_stdout(data: bytes, to: TextIO | None = None) -> None:
    """Write all of `data` to standard output as bytes and flush it. Raises InputError where there is no room."""
    stream = getattr(sys.stdout if to is None else to, "buffer", None)
    if stream is None:  # a text-only replacement of sys.stdout: there is no way to give it bytes
        raise InputError("standard output doesn't take bytes", try_="-o FILE")
    view = memoryview(data)
    with writing_stdout():
        for start in range(0, len(view), 1 << 16):
            stream.write(view[start : start + (1 << 16)])
        stream.flush()


def _at_home(text: str) -> Path:
    """A path; `~` is the home folder, which no shell has put there where the path comes from a file or from Python."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody of that name
        return Path(text)


def _check_name(path: Path) -> None:
    """That a name can be one here: the record's is longer than the audio's. Raises InputError."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"can't write to {path}", cause=error.strerror, try_="a shorter name") from error


def _format_of(path: Path) -> str:
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        known = ", ".join(SUFFIXES)
        what = f"unknown suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise UsageError(f"{what}: {path}", cause="the suffix chooses the format", try_=f"one of {known}, or --format")
    return found


def _same_file(left: Path, right: Path) -> bool:
    try:
        return os.path.samefile(left, right)
    except OSError:
        return os.path.realpath(left) == os.path.realpath(right)
