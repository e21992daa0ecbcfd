"""Products of many rows with 8-bit weights by oneDNN, as torch has it: what a prefill and whole levels are made with.

Each row of the input is rounded to 8 bits by its own scale (the largest magnitude to 127), so a row's result doesn't
depend on its neighbors; sums are whole numbers, exact. This is torchao's and torch's "dynamic" quantization. A rounded
input has no sign, 128 stands for 0: processors with AVX-512 VNNI but no AMX multiply such numbers by signed ones, and
leave products of two signed ones to oneDNN's reference, which is a thousand times slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .quantize import MOST8, Eight

ZERO = 128
"""What a rounded input has for 0."""
SLOWEST = 20.0
"""Times a float32 product's time: only a reference implementation takes longer."""


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
        rounded = (x / scale).round_().add_(ZERO).to(torch.uint8)
        out = self._product(
            rounded, 1.0, ZERO, self.packed, self.scales, self.zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return out.mul_(scale)


@cache
def wide_works() -> bool:
    """Has this machine exact 8-bit products that are worth it? Some processors' sums overflow 16 bits on the way; for
    some there is nothing but oneDNN's reference; some torch has none."""
    weight, x = torch.full((64, 256), MOST8, dtype=torch.int8), torch.full((16, 256), float(MOST8))
    x[::2] *= -1
    try:
        product = Wide(Eight(weight, torch.ones(64)))
        found = product(x)
    except (RuntimeError, TypeError):
        return False
    plain = weight.float()
    exact = bool((found == x @ plain.T).all())
    return exact and _quickest(lambda: product(x)) < SLOWEST * _quickest(lambda: F.linear(x, plain))


def _quickest(work: Callable[[], object]) -> float:
    """Seconds of the quickest of some runs."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)
