"""Hashes of files."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from vall_e_core import InputError

_BLOCK = 1 << 20


def sha256_file(path: Path) -> str:
    """The SHA-256 of a regular file, in lower-case hexadecimal digits.

    Raises:
        InputError: where it can't be read, or is a pipe or a device, which may have no end.
    """
    digest = hashlib.sha256()
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"can't read {path}", cause="it is not a regular file")
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise InputError(f"can't read {path}", cause=getattr(error, "strerror", None) or str(error)) from error
    return digest.hexdigest()
