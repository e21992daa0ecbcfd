"""Checkpoints of a new run from what is shipped, for a machine that lacks those of the last run.

Optimizers, discriminators and the heads that only training needs begin anew; they are learned again in minutes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from vall_e_mini.codec import read
from vall_e_mini.shape import Shape
from vall_e_tensors import rescaled

from .codec import CodecTrainer
from .config import Config, ModelConfig
from .export import DATA
from .informed import inform, unfolded
from .language_model import LanguageModel, LanguageModelShape
from .tokens import vocabulary
from .training import save


def language_model_shape(weights: dict[str, Tensor], config: ModelConfig, codec: Shape) -> LanguageModelShape:
    """The sizes that a checkpoint's tensors have; what they don't show is the configuration's."""
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("model.layers."))
    width = weights["text_emb.weight"].shape[1]
    return LanguageModelShape(
        width, config.heads, layers, codec.levels, codec.codebook_size, vocabulary(), config.whole_prompt
    )


def run(config: Config, run_dir: Path, out: Path = DATA) -> None:
    """Write `codec.pt`, `vocoder.pt` and `model.pt` from the files in `out`; those that exist are left alone."""
    run_dir.mkdir(parents=True, exist_ok=True)
    tensors, shape = read(out / "codec.safetensors")
    trainer = CodecTrainer(shape)
    vocoder = {k.removeprefix("vocoder."): v for k, v in tensors.items() if k.startswith("vocoder.")}
    weights = rescaled(load_file(out / "model.sft"))
    sizes = language_model_shape(weights, config.model, shape)
    codec = codec_state(trainer, tensors, vocoder)
    trainer.load_state_dict(codec)
    model = LanguageModel(sizes)
    inform(model, trainer.encoder.quantizer)
    checkpoints: tuple[tuple[str, dict[str, Tensor], Any], ...] = (
        ("codec", codec, shape), ("vocoder", vocoder, shape), ("model", unfolded(weights, model), sizes),
    )  # fmt: skip
    for name, network, described in checkpoints:
        path = run_dir / f"{name}.pt"
        if path.is_file():
            print(f"{path.name}: there already", flush=True)
            continue
        average = {k: v.clone() for k, v in network.items()}
        values = {"network": network, "average": average, "step": 0, "seconds": 0.0}
        save(path, {**values, "shape": json.dumps(asdict(described))})
        print(f"{path.name}: {sum(v.numel() for v in network.values()) / 1e6:.2f} M numbers", flush=True)


def codec_state(trainer: CodecTrainer, tensors: dict[str, Tensor], vocoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """A trainer's state with the product's encoder and codebooks; its mel head learns on the vocoder's trunk."""
    state = trainer.state_dict()
    state |= {k: v for k, v in tensors.items() if not k.startswith("vocoder.")}
    state |= {k: vocoder[k] for k in state if k.startswith("trunk.")}
    for name in [k for k in state if k.endswith("_codebook.embed")]:
        base = name.removesuffix("embed")
        state[base + "embed_avg"], state[base + "inited"] = state[name].clone(), torch.ones(1)
        state[base + "cluster_size"] = torch.ones(len(state[name]))
    return state
