"""Weights in 8 bits: int8, and a float16 factor for each row under `NAME.scale`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SCALE = ".scale"
"""What the name of a weight's factors ends with."""


def eight_bits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight [rows, ...] as int8 [rows, ...] and a float16 factor for each row [rows]: off by half a step at most."""
    import torch

    scale = (weight.float().flatten(1).abs().amax(1).clamp(min=1e-4) / 127).half()
    codes = (weight.float() / _beside(scale, weight)).round().clamp(-127, 127)
    return codes.to(torch.int8), scale


def rescaled(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's tensors in float32, with the factors of 8-bit weights applied."""
    tensors = {name: value.float() for name, value in stored.items()}
    for name in [name for name in tensors if name.endswith(SCALE)]:
        weight = tensors[name.removesuffix(SCALE)]
        weight *= _beside(tensors.pop(name), weight)
    return tensors


def _beside(scale: Tensor, weight: Tensor) -> Tensor:
    """Factors [rows] in a shape that multiplies a weight [rows, ...]."""
    return scale.float().view(-1, *[1] * (weight.dim() - 1))
