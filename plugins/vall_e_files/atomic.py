"""Files that appear whole or not at all, and what killed runs have left of them.

What is being written has a name of ours in the same folder, and its writer holds a lock on it: so the next run can tell
what a killed run has left from what a live one is writing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from vall_e_core import InputError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Self

_LITTER = re.compile(r"\.vall-e-[0-9a-f]{12}\.part")
_YOUNG_SECONDS = 60.0
"""What is younger is left alone, for its writer may not have locked it yet."""


class PendingFile:
    """A file under a temporary name, for `with`: `take_name` makes it appear, else it is gone at the end.

    Opening it raises OSError. An interrupt may come at any moment, between two steps of this code too: so what removes
    the file is registered before there is one, and works when the object, or the process, ends.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._target = Path(os.path.realpath(path))
        self._overwrite = overwrite
        self.path = self._target.with_name(f".vall-e-{secrets.token_hex(6)}.part")
        self._removal = weakref.finalize(self, _remove, str(self.path), os.getpid())
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self.file: BinaryIO = os.fdopen(os.open(self.path, flags, 0o666), "wb")
        _lock(self.file.fileno())

    def finish(self) -> None:
        """Everything that was written reaches the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def take_name(self) -> None:
        """Appear under the wanted name. Raises FileExistsError where that is taken meanwhile, and OSError."""
        if os.name == "nt":  # an open file can't be renamed there
            self.file.close()
        if self._overwrite:
            os.replace(self.path, self._target)
            return
        try:
            os.link(self.path, self._target)  # unlike a rename, refuses an existing name without a race
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(self._target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self._target)) from None
            os.replace(self.path, self._target)

    def take_back(self) -> None:
        """Be gone again, where nothing had that name before. What somebody else has put there meanwhile stays."""
        if not self._overwrite:
            with suppress(OSError):
                if not os.path.lexists(self.path) or os.path.samefile(self.path, self._target):
                    self._target.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self.file.close()
        with suppress(OSError):
            self.path.unlink()
        self._removal.detach()


def _remove(path: str, process: int) -> None:
    """Remove a file of this process; one that it has forked has it too, and leaves it alone."""
    if os.getpid() == process:
        with suppress(OSError):
            os.unlink(path)


class Output:
    """A file that is being written: `file` takes its content, `commit` makes it appear."""

    def __init__(self, pending: PendingFile, path: Path, *, overwrite: bool) -> None:
        self._pending, self._path, self._overwrite = pending, path, overwrite
        self.at = path
        """What is being written just now, for messages."""

    @property
    def file(self) -> BinaryIO:
        """The open file."""
        return self._pending.file

    @property
    def written(self) -> Path:
        """Where the content lies until then."""
        return self._pending.path

    def finish(self) -> None:
        """Everything that was written reaches the disk, and can be read there."""
        self._pending.finish()

    def commit(self, beside: Path | None = None, text: bytes = b"") -> None:
        """Appear, together with a second file `beside` that holds `text`, if there is one: both, or neither."""
        self.finish()
        if beside is None:
            self._pending.take_name()
            return
        self.at = beside
        with PendingFile(beside, overwrite=self._overwrite) as second:
            second.file.write(text)
            second.finish()
            try:
                second.take_name()
                self.at = self._path
                self._pending.take_name()
            except BaseException:
                self._pending.take_back()
                second.take_back()
                raise


@contextmanager
def open_output(path: Path, *, overwrite: bool = False) -> Iterator[Output]:
    """A file that appears at `path` when it is committed; without that nothing of it is left.

        with open_output(path) as out:
            out.file.write(data)
            out.commit()

    The data goes to a temporary file in the same folder, reaches the disk, and then takes the name in one step.

    Args:
        path: the file.
        overwrite: replace one that exists.

    Raises:
        UsageError: where a file has appeared meanwhile that may not be replaced.
        InputError: where it can't be written, with the system's reason (disk full, no permission, ...).
    """
    out: Output | None = None
    try:
        with PendingFile(path, overwrite=overwrite) as pending:
            out = Output(pending, path, overwrite=overwrite)
            yield out
    except FileExistsError as error:
        at = path if out is None else out.at
        raise UsageError(f"the output exists already: {at}", try_="-y to overwrite it, or another name") from error
    except OSError as error:
        at = path if out is None else out.at
        full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
        hint = "free some disk space, or another folder" if full else None
        raise InputError(f"can't write {at}", cause=error.strerror or str(error), try_=hint) from error


def write_atomic(path: Path, write: Callable[[BinaryIO], object], *, overwrite: bool = False) -> None:
    """Make the file at `path` with what `write` puts into it: all of it, or nothing. Raises as `open_output` does."""
    with open_output(path, overwrite=overwrite) as out:
        write(out.file)
        out.commit()


def sweep(folder: Path, *, alone: bool = False) -> None:
    """Remove what killed runs have left in a folder. What another run is writing stays.

    Args:
        folder: where to look.
        alone: nobody begins a file there meanwhile, so that what is young needn't be spared.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _LITTER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_dead(Path(entry.path), 0.0 if alone else _YOUNG_SECONDS)


def _remove_dead(path: Path, young: float) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime < young:
            return
        descriptor = os.open(path, os.O_RDWR)
        try:
            dead = _lock(descriptor)
        finally:
            os.close(descriptor)
        if dead:
            path.unlink()


def _lock(descriptor: int) -> bool:
    """Hold an open file until it is closed; False where another process holds it, or nobody can."""
    try:
        import fcntl
    except ImportError:  # Windows keeps open files from being removed by itself
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
