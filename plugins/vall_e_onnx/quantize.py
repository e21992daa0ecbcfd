"""Weights as whole numbers of 8 or 4 bits, with scales; and what they stand for.

8 bits: one scale for each output, the largest magnitude to 127, rounded to nearest (as torch's own dynamic
quantization has it). 4 bits: one scale for each output and block of inputs. A block's scale is signed, so that its
largest magnitude falls on -8, the end that has one step more (as llama.cpp's Q4_0 has it); of a few such scales, each
a little smaller than the last, the one with the smallest squared error is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MOST8, MOST4 = 127, 8
BLOCK8, BLOCK4 = 256, 64
"""Inputs that share a scale, at most. Of 8 bits all inputs do: there the block is that of the kernel's own rounding of
its input."""
SHRINK = (1.0, 0.93, 0.86)
ROWS = 64
"""Rows that are converted at a time: so few that the processor's cache holds them on the way."""


def block_size(inputs: int, most: int) -> int:
    """The largest power of two that divides `inputs`, up to `most`."""
    return min(inputs & -inputs, most)


@dataclass(frozen=True)
class Eight:
    """A weight [O, I]: `values` int8 [O, I] times `scales` float32 [O]."""

    values: Tensor
    scales: Tensor

    @classmethod
    def of(cls, weight: Tensor) -> Eight:
        """Round a weight [O, I]."""
        done = [cls._some(rows.detach().float()) for rows in torch.split(weight, ROWS)]
        return cls(torch.cat([values for values, _ in done]), torch.cat([scales for _, scales in done]))

    @staticmethod
    def _some(weight: Tensor) -> tuple[Tensor, Tensor]:
        scales = (weight.abs().amax(1) / MOST8).clamp_min(torch.finfo(torch.float32).tiny)
        return (weight / scales[:, None]).round_().to(torch.int8), scales

    def weight(self) -> Tensor:
        """What it stands for, float32 [O, I]."""
        return self.values.float() * self.scales[:, None]


@dataclass(frozen=True)
class Four:
    """A weight [O, I]: `values` uint8 [O, I / b, b / 2], the even places in the low halves, each 8 more than it means,
    times `scales` float32 [O, I / b]."""

    values: Tensor
    scales: Tensor

    @classmethod
    def of(cls, weight: Tensor, size: int) -> Four:
        """Round a weight [O, I] whose I is a multiple of `size`."""
        done = [cls._some(rows.detach().float().view(len(rows), -1, size)) for rows in torch.split(weight, ROWS)]
        return cls(torch.cat([values for values, _ in done]), torch.cat([scales for _, scales in done]))

    @staticmethod
    def _some(parts: Tensor) -> tuple[Tensor, Tensor]:
        largest = parts.gather(-1, parts.abs().argmax(-1, keepdim=True))
        best = error = torch.empty(0)
        scales = torch.empty(0)
        for share in SHRINK:
            tried = largest * (-share / MOST4)
            tried = torch.where(tried == 0, torch.ones_like(tried), tried)
            values = (parts / tried).round_().clamp_(-MOST4, MOST4 - 1)
            off = (values * tried - parts).square_().sum(-1, keepdim=True)
            if share == SHRINK[0]:
                best, scales, error = values, tried, off
                continue
            better = off < error
            best, scales = torch.where(better, values, best), torch.where(better, tried, scales)
            error = torch.where(better, off, error)
        whole = (best + MOST4).to(torch.uint8)
        return whole[..., 0::2] | whole[..., 1::2] << 4, scales[..., 0]

    def weight(self) -> Tensor:
        """What it stands for, float32 [O, I]."""
        whole = torch.stack((self.values & 15, self.values >> 4), -1).flatten(-2)
        return ((whole.float() - MOST4) * self.scales[..., None]).flatten(1)
