"""A linear layer that is quick on a CPU, few rows at a time above all, as in every decoding step."""

from __future__ import annotations

import platform
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _onednn() -> Callable[..., Tensor] | None:
    """oneDNN's product, where this torch has it. Nobody has measured it on other processors than x86."""
    available: Callable[[], bool] = torch.backends.mkldnn.is_available
    if platform.machine().lower() not in ("x86_64", "amd64") or not available():
        return None
    found: Callable[..., Tensor] | None = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return found


_PRODUCT = _onednn()
SMALL = 1 << 17
"""Multiplications of a product below which calling oneDNN takes longer than multiplying."""
EXACT = 16
"""Numbers of rows up to here are multiplied as they are; larger ones are rounded up to one of eight in each octave."""


def rounded_rows(rows: int) -> int:
    """The number of rows that are multiplied where `rows` are asked for: at most an eighth more.

    oneDNN writes code for each number of rows, 0.3 MB for each shape of a weight, and whatever its cache may hold it
    keeps that code until the process ends (version 3.12). Every sentence of a book is of another length.
    """
    if rows <= EXACT:
        return rows
    unit = 1 << (rows.bit_length() - 4)
    return -(-rows // unit) * unit


class Linear(nn.Linear):
    """`nn.Linear` without a bias; the same parameters and results, up to rounding.

    A step multiplies a handful of rows by a large weight, so its time is that of reading the weight once. How near
    to that a product comes is a matter of the library. `F.linear` asks MKL, which is at home on one maker's processors
    and on the others' is slow with more than one row. oneDNN makes its code for whatever instructions it finds: on one
    core of an EPYC, float32, 4096 x 1024, `F.linear` reads 18 GB/s with one row, 9.8 with eight and 7.2 with sixteen,
    oneDNN 27, 15 and 13; a prefill of 291 rows takes half the time. It knows no gradients, so training doesn't use it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # [..., I] -> [..., O]
        """Multiply."""
        usable = x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() * self.out_features >= SMALL
        if _PRODUCT is None or not usable or torch.is_grad_enabled():
            return F.linear(x, self.weight)
        rows = x.numel() // self.in_features
        more = rounded_rows(rows) - rows
        if more == 0:
            return _PRODUCT(x, self.weight, None, "none", [], "")
        padded = F.pad(x.reshape(rows, self.in_features), (0, 0, 0, more))
        return _PRODUCT(padded, self.weight, None, "none", [], "")[:rows].view(*x.shape[:-1], self.out_features)
