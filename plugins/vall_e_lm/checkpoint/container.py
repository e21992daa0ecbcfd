"""Model files: what is in one, checked before anything large is read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vall_e_core import CheckpointError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

SAFETENSORS = frozenset({".sft", ".safetensors"})
PICKLES = frozenset({".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle", ".th"})
HEADER_LIMIT = 100_000_000
"""Bytes; the format's own limit."""
DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
TORCH_NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a file, without its data."""

    dtype: str
    shape: tuple[int, ...]
    start: int = field(default=0, compare=False, repr=False)
    """Where the data begin in a safetensors file, in bytes."""


class TensorSource(Protocol):
    """A file's tensors, read one at a time, each into memory of its own."""

    def __call__(self, name: str) -> Tensor: ...


@dataclass(frozen=True)
class Container:
    """An open model file."""

    path: Path
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """`config`, `stats`, `userdata`, ...: parsed JSON, or the raw text where it isn't JSON."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The stored configuration; empty where there is none."""
        found = self.metadata.get("config")
        return found if isinstance(found, Mapping) else {}

    @property
    def symmap(self) -> Mapping[str, object] | None:
        """The stored phoneme vocabulary."""
        userdata = self.metadata.get("userdata")
        found = userdata.get("symmap") if isinstance(userdata, Mapping) else None
        return found if isinstance(found, Mapping) else None

    @contextmanager
    def open(self) -> Iterator[TensorSource]:
        """Read tensors. Not from a mapping: pages that were read count as used beside what is made of them, so that a
        model took twice its size while it was loaded."""
        try:
            with self.path.open("rb", buffering=0) as file:
                yield lambda name: _read(self.path, file, name, self.tensors[name])
        except OSError as e:
            raise CheckpointError(f"can't read {self.path}", cause=str(e)) from e


def check_file(path: Path) -> None:
    """The path is a readable, regular, non-empty file, or CheckpointError."""
    if not path.exists():
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else None
        hint = f"did you mean {path.parent / near}?" if near is not None else None
        raise CheckpointError(f"no such model file: {path}", try_=hint)
    if not path.is_file():
        raise CheckpointError(f"not a file: {path}")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise CheckpointError(f"the model file is empty: {path}")
    except OSError as e:
        raise CheckpointError(f"can't read the model file {path}", cause=e.strerror) from e


def read_safetensors(path: Path) -> Container:
    """A `.sft`/`.safetensors` file's tensors and metadata; its size is checked against its header, no data is read."""
    check_file(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        start, brace = file.read(8), file.read(1)
        if brace != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80"):
            raise CheckpointError(
                f"{path} is a pickle by its content, not a safetensors file",
                cause="a pickle can run code when it is opened",
                try_="a safetensors file; or, if you trust it, name it .pth and give --allow-pickle",
            )
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > HEADER_LIMIT or 8 + length > size:
            raise damaged(path, f"its header would be {length} bytes long, the file has {size}")
        header = (brace + file.read(max(length - 1, 0)))[:length]
    try:
        entries = json.loads(header, object_pairs_hook=unique)
    except (ValueError, RecursionError) as e:
        raise damaged(path, f"its header can't be read: {e}") from e
    if not isinstance(entries, dict):
        raise damaged(path, "its header is not an object")
    stored = entries.pop("__metadata__", {})
    infos, spans = {}, []
    for name, entry in entries.items():
        infos[name], span = _entry(path, name, entry, 8 + length)
        spans.append((*span, name))
    _check_layout(path, spans, size - 8 - length)
    return Container(path, infos, parse_metadata(stored))


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose keys are all different; ValueError otherwise."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands there twice")
        found[key] = value
    return found


def parse_metadata(stored: object) -> dict[str, Any]:
    """Metadata values parsed as JSON; a text that isn't JSON stays as it is."""
    if not isinstance(stored, Mapping):
        return {}
    found: dict[str, Any] = {}
    for key, value in stored.items():
        try:
            found[str(key)] = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            found[str(key)] = value
    return found


def damaged(path: Path, cause: str) -> CheckpointError:
    """The error for a file that isn't what its name says."""
    return CheckpointError(f"not a valid safetensors file: {path}", cause=cause, try_="download the file again")


def _read(path: Path, file: RawIOBase, name: str, info: TensorInfo) -> Tensor:
    """One tensor's data."""
    import torch

    data = torch.empty(math.prod(info.shape) * DTYPE_BYTES[info.dtype], dtype=torch.uint8)
    into = data.numpy().data
    file.seek(info.start)
    while len(into) > 0:
        count = file.readinto(into)
        if not count:
            raise damaged(path, f"the file is cut in tensor {name}")
        into = into[count:]
    kind: torch.dtype = getattr(torch, TORCH_NAMES[info.dtype])
    return data.view(kind).view(info.shape)


def _entry(path: Path, name: str, entry: object, data: int) -> tuple[TensorInfo, tuple[int, int]]:
    """One tensor's entry of the header, checked -> what it is, and its place in the data, which begin at `data`."""
    try:
        if not isinstance(entry, dict):
            raise TypeError("not an object")
        dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in [*shape, *span])
        if not whole or len(span) != 2 or len(shape) > 8:
            raise TypeError(f"shape {shape}, data {span}")
    except (KeyError, TypeError) as e:
        raise damaged(path, f"tensor {name} is described wrongly: {e}") from e
    if dtype not in DTYPE_BYTES:
        raise damaged(path, f"tensor {name} has an unknown type {dtype!r}")
    begin, end = span
    if (expected := math.prod(shape) * DTYPE_BYTES[dtype]) != end - begin:
        raise damaged(path, f"tensor {name}, {dtype} {shape}: expected {expected} bytes of data, found {end - begin}")
    return TensorInfo(dtype, tuple(shape), data + begin), (begin, end)


def _check_layout(path: Path, spans: list[tuple[int, int, str]], size: int) -> None:
    """Tensors fill the data from its first byte to its last, one behind the other."""
    at = 0
    for begin, end, name in sorted(spans):
        if begin != at:
            raise damaged(path, f"tensor {name} begins at byte {begin} of the data, expected {at}")
        if end > size:
            raise damaged(path, f"the file is cut in tensor {name}: it ends at byte {size} of the data, {end} expected")
        at = end
    if at != size:
        raise damaged(path, f"{size - at} bytes too many after the last tensor")
