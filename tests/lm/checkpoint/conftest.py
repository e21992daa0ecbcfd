"""A small model file, and ways to damage it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_lm import Model, ModelConfig, save_model

SYMMAP = {"<unk>": 0, "<bos>": 1, "</eos>": 2, "<mask>": 3, " ": 4, "a": 5, "b": 6, "ɪ": 7, "aɪ": 83}
BASE: dict[str, Any] = {
    "width": 16,
    "heads": 2,
    "layers": 2,
    "levels": 3,
    "audio_tokens": 12,
    "phoneme_tokens": 84,
    "langs": 2,
    "capabilities": frozenset({"ar", "nar", "lang"}),
}

Tensors = dict[str, Tensor]
Change = Callable[[Tensors], None]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a small model, its tensors and metadata changed as asked -> its path."""

    def build(
        change: Change | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str = "model.sft",
        **fields: Any,
    ) -> Path:
        from safetensors.torch import load_file, save_file

        path = tmp_path / name
        model = Model(ModelConfig(**(BASE | fields)), seed=1)
        save_model(path, model, symmap=SYMMAP)
        if change is None and config is None and metadata is None:
            return path
        tensors = load_file(str(path))
        stored = read_metadata(path)
        if change is not None:
            change(tensors)
        if config is not None:
            stored["config"] = json.dumps(json.loads(stored["config"]) | config)
        stored |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in (metadata or {}).items()}
        save_file(tensors, str(path), metadata={k: v for k, v in stored.items() if v != "null"})
        return path

    return build


def read_metadata(path: Path) -> dict[str, str]:
    """A safetensors file's metadata as it is stored."""
    raw = path.read_bytes()
    found: dict[str, str] = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    return found


def rewrite_header(
    path: Path, change: Callable[[dict[str, Any]], None] | None = None, *, raw: bytes | None = None
) -> None:
    """Replace a file's header."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    if change is not None:
        change(header)
    new = json.dumps(header).encode() if raw is None else raw
    path.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + length :])


def codes(stream_seed: int, frames: int, levels: int = 3) -> Tensor:
    """Random codes [T, Q]."""
    return torch.randint(0, 12, (frames, levels), generator=torch.Generator().manual_seed(stream_seed))
