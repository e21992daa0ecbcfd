"""Write a model in upstream's format, so that the same loader (and upstream's) reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vall_e_tensors import SCALE, eight_bits

from ..model import BaseModel


def save_model(
    path: Path,
    model: BaseModel,
    *,
    symmap: Mapping[str, int] | None = None,
    stats: Mapping[str, int] | None = None,
    dtype: torch.dtype | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write `path` (`.sft`): the state dict, and `config`, `stats`, `userdata.symmap` as JSON metadata.

    Args:
        dtype: store the tensors in this type; None: as they are. `torch.int8`: matrices in 8 bits, with a factor for
            each row in half precision (`NAME.scale`), all else in half precision; only this project reads that.
        extra: further metadata, e.g. `audio_backend` (the codec's name), `advice`, and
            `languages` (the codes that it was trained on).

    The file is written beside its place and then moved there, so that it is never there by half.
    """
    from safetensors.torch import save_file

    steps = dict.fromkeys(("global_step", "micro_step", "global_samples", "tokens_processed"), 0) | dict(stats or {})
    metadata: dict[str, Any] = {"config": model.config.to_upstream(), "stats": steps}
    if symmap is not None:
        metadata["userdata"] = {"symmap": dict(symmap)}
    metadata |= dict(extra or {})
    compact = {k: json.dumps(v, ensure_ascii=False, separators=(",", ":")) for k, v in metadata.items()}
    state = {k: v.detach() for k, v in model.state_dict().items()}
    if dtype == torch.int8:
        tensors = {name: part for key, value in state.items() for name, part in _in_8_bits(key, value.cpu()).items()}
    else:
        tensors = {k: v.to("cpu", dtype).contiguous().clone() for k, v in state.items()}
    part = path.with_name(path.name + ".part")
    try:
        save_file(tensors, str(part), metadata=compact)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _in_8_bits(name: str, value: Tensor) -> dict[str, Tensor]:
    """A matrix [rows, columns] as int8 and a factor for each row; anything else in half precision."""
    if value.dim() != 2:
        return {name: value.half().contiguous()}
    codes, scale = eight_bits(value)
    return {name: codes, f"{name}{SCALE}": scale}
