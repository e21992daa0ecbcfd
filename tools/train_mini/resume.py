"""A run's weights small enough to keep in the repository, so that training can go on where the checkpoints are lost.

`pack` writes encoder, codebooks and averaged vocoder into one file, and the averaged language model into another: in 8
bits with a scale for each row, vectors in half precision, compressed. `unpack` makes checkpoints of them, the codec's
first. Optimizers, discriminators and the heads that only training needs begin anew; they are learned again in minutes.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from vall_e_mini.shape import split_shape
from vall_e_tensors import SCALE, eight_bits, rescaled

from .config import Config
from .export import TRAINING_ONLY
from .informed import folded, inform, unfolded
from .language_model import LanguageModel, LanguageModelShape
from .split_codec import CodecTrainer, load_encoder
from .training import restore
from .training import save as save_checkpoint

FILE, MODEL_FILE = "resume.safetensors.xz", "resume-model.safetensors.xz"


def packed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices, kernels and codebooks in 8 bits with `NAME.scale`, vectors in half precision."""
    small: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if value.dim() >= 2:
            small[name], small[name + SCALE] = eight_bits(value)
        else:
            small[name] = value.half().contiguous()
    return small


def pack(run_dir: Path) -> Path:
    """Write `RUN/resume.safetensors.xz` from `codec.pt` and `vocoder.pt`. Raises FileNotFoundError without them."""
    codec, vocoder = (restore(run_dir / f"{name}.pt", "cpu") for name in ("codec", "vocoder"))
    if codec is None or vocoder is None:
        raise FileNotFoundError(f"{run_dir} has no codec.pt or no vocoder.pt")
    kept = {k: v for k, v in codec["network"].items() if k.startswith("encoder.") and not k.endswith(TRAINING_ONLY)}
    kept |= {f"vocoder.{k}": v for k, v in vocoder["average"].items() if v.is_floating_point()}
    metadata = {"shape": codec["shape"], "steps": json.dumps([codec["step"], vocoder["step"]])}
    path = run_dir / FILE
    path.write_bytes(lzma.compress(save(packed(kept), metadata=metadata)))
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
    if (model := restore(run_dir / "model.pt", "cpu")) is not None:
        about = {"model": model["shape"], "steps": json.dumps(model["step"])}
        data = lzma.compress(save(packed(folded(model["average"])), metadata=about))
        (run_dir / MODEL_FILE).write_bytes(data)
        print(f"{MODEL_FILE}: {len(data) / 1e6:.2f} MB", flush=True)
    return path


def unpack(path: Path, run_dir: Path) -> None:
    """Write `codec.pt` and `vocoder.pt` of a run, or `model.pt`, from a file of `pack`; what exists is left alone."""
    data = lzma.decompress(path.read_bytes())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    if "model" in header:
        unpack_model(rescaled(load(data)), header, run_dir)
        return
    shape, (codec_steps, vocoder_steps) = split_shape(json.loads(header["shape"])), json.loads(header["steps"])
    tensors = rescaled(load(data))
    trainer = CodecTrainer(shape)
    state = trainer.state_dict()
    state |= {k: v for k, v in tensors.items() if not k.startswith("vocoder.")}
    vocoder = {k.removeprefix("vocoder."): v for k, v in tensors.items() if k.startswith("vocoder.")}
    state |= {k: vocoder[k] for k in state if k.startswith("trunk.")}  # the mel head learns on the vocoder's trunk
    for name in [k for k in state if k.endswith("_codebook.embed")]:
        base = name.removesuffix("embed")
        state[base + "embed_avg"], state[base + "inited"] = state[name].clone(), torch.ones(1)
        state[base + "cluster_size"] = torch.ones(len(state[name]))
    known = {"shape": json.dumps(asdict(shape)), "seconds": 0.0}
    run_dir.mkdir(parents=True, exist_ok=True)
    for name, network, step in (("codec", state, codec_steps), ("vocoder", vocoder, vocoder_steps)):
        if (run_dir / f"{name}.pt").is_file():
            print(f"{name}.pt: there already", flush=True)
            continue
        values = {"network": network, "average": {k: v.clone() for k, v in network.items()}, "step": step}
        save_checkpoint(run_dir / f"{name}.pt", {**values, **known})


def unpack_model(plain: dict[str, Tensor], header: dict[str, str], run_dir: Path) -> None:
    """Write `model.pt`. Its tables know the codebooks of the run's `codec.pt`."""
    if (run_dir / "model.pt").is_file():
        print("model.pt: there already", flush=True)
        return
    model = LanguageModel(LanguageModelShape(**json.loads(header["model"])))
    inform(model, load_encoder(run_dir)[0].quantizer)
    network = unfolded(plain, model)
    values = {"network": network, "average": {k: v.clone() for k, v in network.items()}, "shape": header["model"]}
    save_checkpoint(run_dir / "model.pt", {**values, "step": json.loads(header["steps"]), "seconds": 0.0})


def run(config: Config, run_dir: Path, out: Path | None = None) -> None:
    """Pack a run, or make one of the packed file `out`."""
    if out is None:
        pack(run_dir)
    else:
        unpack(out, run_dir)
