"""Write a model in upstream's format, so that the same loader (and upstream's) reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

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
        dtype: store the tensors in this type; None: as they are.
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
    tensors = {k: v.detach().to("cpu", dtype).contiguous().clone() for k, v in model.state_dict().items()}
    part = path.with_name(path.name + ".part")
    try:
        save_file(tensors, str(part), metadata=compact)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
