"""Converted weights on disk: one file for a checkpoint and a number of bits, in `<cache>/engines/onnx/`.

A file is complete or absent: it is written beside its place and renamed. One that can't be read, or that isn't what
its name says, is made again. Nothing depends on it but time, so a cache that can't be written is no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vall_e_files import cache_home

VERSION = 2
"""Of the conversion: a change of what the numbers are raises it."""
SUFFIX = ".safetensors"


def folder() -> Path:
    """Where the files lie."""
    return cache_home() / "engines" / "onnx"


def place(identity: str, settings: Mapping[str, object]) -> Path:
    """The file of the weights known as `identity` (the checkpoint's hash, and its adapters')."""
    text = json.dumps({"weights": identity, "version": VERSION, **settings}, sort_keys=True)
    return folder() / (hashlib.sha256(text.encode()).hexdigest() + SUFFIX)


def read(path: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor] | None:
    """The tensors, mapped from the file; None where there is no such file, or not with these names and shapes."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            if {name: tuple(file.get_slice(name).get_shape()) for name in names} != dict(expected):
                return None
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in expected}
    except (OSError, SafetensorError, ValueError):
        return None
    return tensors if metadata.get("sha256") == checksum(tensors) else None


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all values, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()


def write(path: Path, tensors: Mapping[str, Tensor]) -> bool:
    """Write all tensors, or nothing; False where that can't be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".making-", suffix=SUFFIX, dir=path.parent)
        os.close(handle)
        try:
            save_file(dict(tensors), name, {"sha256": checksum(tensors)})
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except (OSError, SafetensorError):
        return False
    return True


def files() -> list[Path]:
    """All files of the cache, those left by an interrupted run too."""
    found = folder().glob(f"*{SUFFIX}") if folder().is_dir() else ()
    return sorted(each for each in found if each.is_file())
