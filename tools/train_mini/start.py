"""Instead of stage 2, 3 or 4 from nothing: checkpoints of a new run that hold the packaged weights.

A machine without the checkpoints of the last run goes on from what it shipped. The codec is final then: its stage only
encodes the corpus. Optimisers and discriminators start anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from vall_e_mini.codec import read
from vall_e_mini.shape import Shape

from .config import Config, ModelConfig
from .export import DATA
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
    described = json.dumps(asdict(shape))
    codec = {k: v for k, v in tensors.items() if not k.startswith("vocoder.")}
    vocoder = {k.removeprefix("vocoder."): v for k, v in tensors.items() if k.startswith("vocoder.")}
    weights = {k: v.float() for k, v in load_file(out / "model.sft").items()}
    sizes = language_model_shape(weights, config.model, shape)
    known = LanguageModel(sizes).state_dict()
    weights = {k: v for k, v in weights.items() if k in known}
    done = config.codec_training.minutes * 60.0
    for name, network, seconds, text in (
        ("codec", codec, done, described),
        ("vocoder", vocoder, 0.0, described),
        ("model", weights, 0.0, json.dumps(asdict(sizes))),
    ):
        path = run_dir / f"{name}.pt"
        if path.is_file():
            print(f"{path.name}: there already", flush=True)
            continue
        average = {k: v.clone() for k, v in network.items()}
        save(path, {"network": network, "average": average, "step": 0, "seconds": seconds, "shape": text})
        print(f"{path.name}: {sum(v.numel() for v in network.values()) / 1e6:.2f} M numbers", flush=True)
