"""A file of the user's that is small, read whole: never a pipe that nobody writes to, nor a device without an end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from vall_e_core import InputError


def read_whole(path: Path, what: str, most: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: of the file.
        what: what messages call it: "the record".
        most: bytes that it may hold.

    Raises:
        InputError: where it can't be read, isn't a regular file, or is larger.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise InputError(f"can't read {what} {path}", cause=f"it is {kind}")
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't read {what} {path}", cause=reason) from error
    if len(data) > most:
        raise InputError(f"can't read {what} {path}", cause=f"it holds more than {most >> 20} MiB")
    return data
