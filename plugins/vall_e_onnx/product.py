"""Products of many rows with 8-bit weights by oneDNN, as torch has it: what a prefill and whole levels are made with.

Each row of the input is rounded to 8 bits by its own scale (the largest magnitude to 127), so a row's result doesn't
depend on its neighbours; sums are whole numbers, exact. This is torchao's and torch's "dynamic" quantization.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from .quantize import MOST8, Eight


def _operator(name: str) -> Callable[..., Tensor] | None:
    found: Callable[..., Tensor] | None = getattr(torch.ops.onednn, name, None)
    return found


class Wide(nn.Module):
    """y = x W^T for W of 8 bits."""

    def __init__(self, weight: Eight) -> None:
        super().__init__()
        pack, product = _operator("qlinear_prepack"), _operator("qlinear_pointwise")
        if pack is None or product is None:
            raise RuntimeError("this torch has no oneDNN products of 8 bits")
        self._product = product
        self.register_buffer("packed", pack(weight.values, None), persistent=False)
        self.register_buffer("scales", weight.scales, persistent=False)
        self.register_buffer("zeros", torch.zeros(len(weight.scales), dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # [..., I] -> [..., O]
        """Round, multiply, scale."""
        scale = (x.abs().amax(-1, keepdim=True) / MOST8).clamp_min(torch.finfo(torch.float32).tiny)
        rounded = (x / scale).round_().to(torch.int8)
        out = self._product(
            rounded, 1.0, 0, self.packed, self.scales, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return out.mul_(scale)


@cache
def wide_works() -> bool:
    """Has this machine exact 8-bit products? Some processors' sums overflow 16 bits on the way; some torch has none."""
    weight = torch.full((64, 256), MOST8, dtype=torch.int8)
    try:
        found = Wide(Eight(weight, torch.ones(64)))(torch.full((4, 256), float(MOST8)))
    except (RuntimeError, TypeError):
        return False
    return bool((found == 256.0 * MOST8 * MOST8).all())
