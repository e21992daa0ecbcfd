"""`.pth` files: pickles, so only on request, and even then without running what is in them."""

from __future__ import annotations

import pathlib
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vall_e_core import CheckpointError

from .container import Container, TensorInfo, TensorSource, check_file, parse_metadata

SAFE_SINCE = (2, 10)
"""The first torch whose `weights_only=True` has no known way around (CVE-2025-32434, CVE-2026-24747)."""
_TOLD = ("config", "stats", "userdata", "advice", "audio_backend", "languages", "listens", "tasks")
"""What a model may say of itself beside its tensors, as in a safetensors file."""
SHARED, SHARED_BYTES = 4, 1 << 20
"""Tensors may share their numbers, such as tied weights; not all of them many times."""
NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class PickledContainer(Container):
    """A `.pth` file, memory-mapped."""

    values: Mapping[str, Tensor] | None = None

    @contextmanager
    def open(self) -> Iterator[TensorSource]:
        """Hand out copies: several may lie in one storage, or in a mapped file."""
        values = self.values
        yield lambda name: (values or {})[name].clone()


def read_pickle(path: Path, *, allow_pickle: bool) -> PickledContainer:
    """A file of `torch.save`: `{"module": state dict, "config", "stats", "userdata"}` or a bare state dict."""
    if not allow_pickle:
        raise CheckpointError(
            f"{path} is a pickle",
            cause="opening a pickle can run code that is hidden in it",
            try_="the .sft file of the same model; or --allow-pickle if you trust this one",
        )
    check_file(path)
    version = tuple(int(n) for n in torch.__version__.split("+")[0].split(".")[:2])
    if version < SAFE_SINCE:
        raise CheckpointError(
            f"torch {torch.__version__} can't open a pickle safely",
            cause="its restricted loading has known holes",
            try_=f"torch {'.'.join(map(str, SAFE_SINCE))} or later, or the .sft file of the same model",
        )
    _require_unpacked(path)
    paths: list[Any] = [pathlib.PosixPath, pathlib.PurePosixPath]
    try:
        with torch.serialization.safe_globals(paths), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about pickle protocols other than torch's own
            stored = torch.load(str(path), map_location="cpu", weights_only=True, mmap=is_zip(path))
    except pickle.UnpicklingError as e:
        raise CheckpointError(f"{path} holds more than tensors and plain values", cause=first_line(e)) from e
    except (RuntimeError, ValueError, OSError, EOFError, KeyError, TypeError, IndexError, AttributeError) as e:
        raise CheckpointError(f"can't read {path}", cause=first_line(e), try_="download the file again") from e
    if not isinstance(stored, dict):
        raise CheckpointError(f"{path} doesn't hold a model", cause=f"it holds a {type(stored).__name__}")
    module = stored.get("module", stored.get("lora", stored))
    if not isinstance(module, dict):
        raise CheckpointError(f"{path} doesn't hold a model", cause="its entry `module` isn't a state dict")
    values = {str(k): v for k, v in module.items() if isinstance(v, Tensor)}
    _require_warranted(path, values)
    infos = {k: TensorInfo(NAMES.get(v.dtype, str(v.dtype)), tuple(v.shape)) for k, v in values.items()}
    metadata = {k: v for k, v in stored.items() if k in _TOLD}
    return PickledContainer(path, infos, parse_metadata(metadata), values)


def _require_unpacked(path: Path) -> None:
    """Raises CheckpointError for an archive that unpacks to more than the file: torch compresses nothing."""
    if not is_zip(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        raise CheckpointError(f"can't read {path}", cause=first_line(e), try_="download the file again") from e
    if size > path.stat().st_size:
        raise CheckpointError(
            f"{path} unpacks to more than it holds", cause=f"{size} bytes from {path.stat().st_size}"
        )


def _require_warranted(path: Path, values: Mapping[str, Tensor]) -> None:
    """Raises CheckpointError for tensors that show the same few numbers again and again, as no saved model's do."""
    size = path.stat().st_size
    for name, each in values.items():
        if each.numel() * each.element_size() > size:
            raise CheckpointError(
                f"{path} holds a tensor larger than the file: {name}",
                cause=f"its shape is {list(each.shape)}, the file has {size} bytes",
            )
    total = sum(each.numel() * each.element_size() for each in values.values())
    if total > SHARED * size + SHARED_BYTES:
        raise CheckpointError(f"{path} unpacks to more than it holds", cause=f"{total} bytes from {size}")


def is_zip(path: Path) -> bool:
    """Is it the format of torch >= 1.6, which can be memory-mapped?"""
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def first_line(error: BaseException) -> str:
    """An exception's first line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
