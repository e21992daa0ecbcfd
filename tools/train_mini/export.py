"""The trained networks as the files that the plugin ships."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

import vall_e_mini
from vall_e_lm import Model, ModelConfig, save_model
from vall_e_mini.networks import Codec
from vall_e_mini.shape import Shape, shape_from
from vall_e_tensors import SCALE, eight_bits

from .config import Config
from .informed import folded
from .language_model import LanguageModelShape
from .tokens import symmap
from .training import restore

DATA = Path(vall_e_mini.__file__).with_name("data")
TRAINING_ONLY = (".inited", ".cluster_size", ".embed_avg")
"""Statistics of the codebooks that only their training needs."""
UNUSED = {"langs_emb.weight", "tasks_emb.weight", "tones_emb.weight", "dropout_token"}
"""Tensors of the published format that this model has no use for."""
ADVICE = Path(__file__).with_name("advice.json")
"""Settings that the checkpoint recommends: chosen on list A of the sentences."""


def write_codec(path: Path, shape: Shape, trainer: dict[str, Tensor], vocoder: dict[str, Tensor]) -> None:
    """`path`: encoder and codebooks of the codec stage, the vocoder; the shape as metadata.

    Weights of layers are stored in 8 bits with a scale a row (`NAME.scale`), all else in half precision.
    """
    network = Codec(shape)
    kept = trainer | {f"vocoder.{k}": v for k, v in vocoder.items()}
    tensors = stored({k: v for k, v in kept.items() if k in network.state_dict()})
    missing = [k for k in network.state_dict() if k not in tensors and not k.endswith((*TRAINING_ONLY, ".window"))]
    if missing:
        raise ValueError(f"the trained networks lack {', '.join(missing)}")
    save_file(tensors, str(path), metadata={"shape": json.dumps(asdict(shape))})


def stored(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A codec's tensors as its file holds them: layers in 8 bits, what the codes mean and vectors in half precision."""
    found = {k: v.half().contiguous() for k, v in tensors.items() if not k.endswith(TRAINING_ONLY)}
    for name in [k for k, v in found.items() if v.dim() >= 2 and "quantizer." not in k]:
        found[name], found[f"{name}{SCALE}"] = eight_bits(found[name])
    return found


def product_config(shape: LanguageModelShape) -> ModelConfig:
    """The trained model as a configuration of the published format."""
    return ModelConfig(
        version=5, width=shape.width, heads=shape.heads, layers=shape.layers, levels=shape.levels,
        audio_tokens=shape.audio_tokens, phoneme_tokens=shape.vocabulary, langs=1, tasks=9, tones=1,
        capabilities=frozenset({"ar", "nar", "stt"}), name="ar+nar+stt", layout="era", sum_mode="inclusive", sums=True,
        stt_mode="plain", noncausal_masks=True, lang_mode=False, unified_position_ids=False,
        whole_prompt=shape.whole_prompt,
    )  # fmt: skip


def write_model(
    path: Path, shape: LanguageModelShape, weights: dict[str, Tensor], stats: dict[str, int], advice: dict[str, Any]
) -> None:
    """`path`: a checkpoint that the product's loader reads like any other, its matrices in 8 bits."""
    model = Model(product_config(shape), seed=None)
    state = model.state_dict()
    given = {k: weights[k] if k in weights else torch.zeros(v.shape) for k, v in state.items()}
    odd = (set(state) - set(weights)) - UNUSED | (set(weights) - set(state))
    if odd:
        raise ValueError(f"trained and published names differ: {', '.join(sorted(odd))}")
    model = model.to_empty(device="cpu") if any(v.is_meta for v in state.values()) else model
    model.load_state_dict(given)
    extra = {"audio_backend": "mini", "advice": advice, "languages": ["en"]}
    save_model(path, model, symmap=symmap(), stats=stats, dtype=torch.int8, extra=extra)


def run(config: Config, run_dir: Path, out: Path = DATA) -> None:
    """Write `codec.safetensors` and `model.sft` to `out`; what isn't trained yet is left as it is."""
    out.mkdir(parents=True, exist_ok=True)
    codec, vocoder, model = (restore(run_dir / f"{name}.pt", "cpu") for name in ("codec", "vocoder", "model"))
    if codec is not None and vocoder is not None:
        shape = shape_from(json.loads(codec["shape"]))
        write_codec(out / "codec.safetensors", shape, codec["network"], vocoder["average"])
    if model is not None:
        shape_of = LanguageModelShape(**json.loads(model["shape"]))
        advice = json.loads(ADVICE.read_text("utf-8"))
        write_model(out / "model.sft", shape_of, folded(model["average"]), {"global_step": model["step"]}, advice)
    for path in sorted(out.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
