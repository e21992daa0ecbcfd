"""The codec object: packaged weights behind the interface of `CodecModel`."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from vall_e_core import BuildContext, ModelError
from vall_e_tensors import codebook_ids, mono_samples, rescaled, sha256_tensors

from .shape import Shape, shape_from

if TYPE_CHECKING:
    from .networks import Codec

LEVEL = 0.08
"""Root mean square that the network was trained at; input is brought to it."""
GATE = 1e-3
"""Frames weaker than this part of the strongest one (-30 dB) don't count towards the level."""


class Unfilled(TorchFunctionMode):
    """Networks made within hold zeros, not random numbers: drawing those takes longer than reading the weights."""

    RANDOM = frozenset((init.kaiming_uniform_, init.uniform_, Tensor.uniform_, Tensor.normal_))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Runs `func`, or zeroes the tensor that it would have filled."""
        named = kwargs or {}
        if func not in self.RANDOM:
            return func(*args, **named)
        tensor: Tensor = args[0] if args else named["tensor"]
        return tensor.detach().zero_()


class MiniCodecModel:
    """A codec of this package. The network runs in float32 whatever the language model's type is."""

    name = "mini"

    def __init__(self, network: Codec, device: str = "cpu") -> None:
        """`network`: its weights loaded."""
        shape = network.shape
        self.sample_rate = shape.sample_rate
        self.frame_rate = shape.frame_rate
        self.levels = shape.levels
        self.codebook_size = shape.codebook_size
        self.context_frames = shape.context_frames
        self._frame = shape.frame_samples
        self._device = torch.device(device)
        self._network = network.to(device=self._device, dtype=torch.float32).eval().requires_grad_(False)

    @cached_property
    def code_books_sha256(self) -> str:
        """A hash of what the codes mean."""
        tensors = self._network.codebooks.state_dict()
        kept = ("._codebook.embed", "lift.weight", "lift.bias")
        return sha256_tensors({name: value for name, value in tensors.items() if name.endswith(kept)})

    @torch.inference_mode()
    def encode(self, wave: Tensor) -> Tensor:
        """wave [samples] float32 at `sample_rate` -> codes [T, Q] int64, T = ceil(samples / samples of a frame)."""
        samples = mono_samples(wave, self._device)
        if samples.numel() == 0:
            return torch.zeros(0, self.levels, dtype=torch.int64, device=self._device)
        padded = torch.nn.functional.pad(samples, (0, -samples.numel() % self._frame))
        codes: Tensor = self._network.encode(levelled(padded, self._frame)[None])[0]
        return codes.to(torch.int64)

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """codes [T, q], q <= Q -> wave [samples] float32 at `sample_rate`.

        An id outside the codebook, such as a stop token that slipped through, is read as 0.
        """
        ids = codebook_ids(codes, self, self._device)
        if ids.shape[0] == 0:
            return torch.zeros(0, device=self._device)
        return self._network.decode(ids[None])[0].clamp(-1.0, 1.0)


def levelled(wave: Tensor, frame: int) -> Tensor:
    """Samples [frame * T] brought to `LEVEL`, measured where somebody speaks; silence stays silence."""
    energy = wave.view(-1, frame).square().mean(1)
    top = energy.max()
    active = energy >= top * GATE
    level = torch.where(active, energy, 0.0).sum().div(active.sum()).sqrt()
    return wave * torch.where(top > 1e-8, LEVEL / level.clamp(min=1e-4), 1.0)


def read(path: Path) -> tuple[dict[str, Tensor], Shape]:
    """The tensors of a codec file in float32, scales of 8-bit weights applied, and its shape.

    Raises OSError, SafetensorError, KeyError, ValueError or TypeError for what isn't one.
    """
    with safe_open(str(path), framework="pt") as file:
        shape = shape_from(json.loads((file.metadata() or {})["shape"]))
        names: list[str] = list(file.keys())
        return rescaled({name: file.get_tensor(name) for name in names}), shape


def load(path: Path, ctx: BuildContext) -> MiniCodecModel:
    """The codec whose weights and `shape` (metadata) a safetensors file holds. Raises ModelError."""
    from .networks import Codec

    try:
        tensors, shape = read(path)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(f"can't read the embedded codec's weights: {path}", cause=str(error)) from error
    with Unfilled():
        network = Codec(shape)
    try:
        missing, unknown = network.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise ModelError(f"the embedded codec's weights don't fit: {path}", cause=str(error)) from error
    missing = [name for name in missing if not name.endswith((".inited", ".cluster_size", ".embed_avg", ".window"))]
    if missing or unknown:
        raise ModelError(f"the embedded codec's weights don't fit: {path}", cause=", ".join([*missing, *unknown]))
    return MiniCodecModel(network, ctx.device)
