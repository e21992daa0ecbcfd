"""Reading a flat file of tensors (a codec's or a vocoder's weights) without ever running what is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import CheckpointError
from vall_e_files import sha256_file

if TYPE_CHECKING:
    from torch import Tensor, nn

PICKLES = frozenset({".th", ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"})
SAFETENSORS = frozenset({".safetensors", ".sft"})


def read_tensors(path: Path, *, sha256: str | None = None, allow_pickle: bool = False) -> dict[str, Tensor]:
    """All tensors of a .safetensors file, or of a pickled state dict that is known to be the published one.

    Args:
        path: the file; its suffix says how it is read.
        sha256: the published file's SHA-256, or the first digits of it. A pickle is read only when its own hash begins
            with these, or with `allow_pickle`; and even then with `weights_only=True`, which refuses code.

    Raises CheckpointError.
    """
    if not path.is_file():
        raise CheckpointError(f"no such weights file: {path}")
    suffix = path.suffix.lower()
    if suffix in SAFETENSORS:
        return _read_safetensors(path)
    if suffix not in PICKLES:
        known = ", ".join(sorted(SAFETENSORS | PICKLES))
        raise CheckpointError(f"not a weights file by its suffix: {path}", try_=f"one of {known}")
    if not allow_pickle:
        _check_published(path, sha256)
    return _read_pickle(path)


def sha256_tensors(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and values: the same for the same weights in whatever file, order or place."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put `tensors` into `module`. Raises CheckpointError that names the first tensor that doesn't fit."""
    expected = module.state_dict()
    for name, current in expected.items():
        found = tensors.get(name)
        if found is None:
            raise CheckpointError(f"{path}: tensor {name} is missing", cause="these are other weights than expected")
        if found.shape != current.shape:
            shapes = f"{list(found.shape)}, expected {list(current.shape)}"
            raise CheckpointError(f"{path}: tensor {name} has shape {shapes}")
        if found.is_floating_point() != current.is_floating_point():
            raise CheckpointError(f"{path}: tensor {name} holds {found.dtype}, expected {current.dtype}")
        if found.is_floating_point() and not bool(found.isfinite().all()):
            raise CheckpointError(f"{path}: tensor {name} holds NaN or infinity", cause="the file is damaged")
    extra = next((name for name in tensors if name not in expected), None)
    if extra is not None:
        raise CheckpointError(f"{path}: tensor {extra} is not expected", cause="these are other weights than expected")
    module.load_state_dict(dict(tensors))


def _check_published(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        raise CheckpointError(
            f"{path} is a pickle, which can hold code, and its publisher's hash isn't known",
            try_="the same weights as .safetensors, or allow-pickle=true if you trust the file",
        )
    found = sha256_file(path)
    if not found.startswith(sha256.lower()):
        raise CheckpointError(
            f"{path} is a pickle and not the published file (sha256 {found[:12]}…, expected {sha256[:12]}…)",
            cause="it is damaged, or another file; a pickle can hold code, so it wasn't opened",
            try_="vall-e models download, the same weights as .safetensors, or allow-pickle=true if you trust the file",
        )


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"not a readable safetensors file: {path}", cause=_one_line(error)) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    import pickle

    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"not a readable file of weights: {path}", cause=_one_line(error)) from error
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise CheckpointError(f"{path} doesn't hold a flat table of tensors")
    return content


def _one_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
