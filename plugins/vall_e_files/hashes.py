"""Hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vall_e_core import InputError

_BLOCK = 1 << 20


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hexadecimal digits.

    Raises:
        InputError: where it can't be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise InputError(f"can't read {path}", cause=error.strerror) from error
    return digest.hexdigest()
