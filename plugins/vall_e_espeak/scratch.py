"""A folder for copies of the library and links to its data, in the temporary folder, gone when the process ends.

A process that is killed can't remove its own. It held a lock in it, so the next one sees that nobody does any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path

PREFIX = "vall-e-espeak-"
LOCK = "lock"
_YOUNG_SECONDS = 60.0
"""A folder that is younger may not be locked yet."""


@cache
def scratch() -> Path:
    """This process's folder; what killed processes have left goes."""
    from filelock import FileLock

    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    held = FileLock(folder / LOCK)
    held.acquire(timeout=0)
    # finalizers run in the reverse order of their making: the package's own, for its copies in here, come first
    weakref.finalize(scratch, _remove, folder, held, os.getpid())
    return folder


def sweep(place: Path) -> None:
    """Remove folders in `place` whose processes are gone. Others' folders, and those in use, stay."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            facts = folder.lstat()
            mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
            if mine and folder.is_dir() and not folder.is_symlink() and time.time() - facts.st_mtime > _YOUNG_SECONDS:
                _remove_dead(folder)


def _remove_dead(folder: Path) -> None:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _remove(folder: Path, held: object, process: int) -> None:
    """At the end of the process that made it; a fork leaves it alone."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
