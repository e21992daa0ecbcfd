"""The preallocated KV cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .early_exit import ExitState


def take_rows(tensor: Tensor, rows: Tensor) -> Tensor:
    """The named rows [M] of a tensor [N, ...]; in its own memory where they are as many as before."""
    taken = tensor[rows]
    return tensor.copy_(taken) if len(taken) == len(tensor) else taken


class KVCache:
    """Keys and values of N rows that stand at different lengths, allocated once and written in place.

    `keys`, `values`: [layers, N, H, max_T, head width]; `lengths`: [N] long, on the device: tokens that each row holds.
    `extent` is a host-side bound of the lengths (the longest prefill plus the steps since), so that attention can be
    cut to what is used without asking the device. `uniform`: all rows have exactly `extent` tokens, known on the host.
    `bucket`: what is read is rounded up to a multiple of it, the rest masked, so that many steps in turn are the same.
    """

    BUCKETS: ClassVar[Mapping[str, int]] = {"cuda": 128}
    """Where steps and whole passes may be recorded, by device type; 1 on all others. A GPU's time hardly depends on
    it."""

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        max_length: int,
        head_width: int,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        bucket: int | None = None,
    ) -> None:
        """`bucket` None: what suits the device."""
        shape = (layers, rows, heads, max_length, head_width)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.lengths = torch.zeros(rows, device=device, dtype=torch.long)
        self.bucket = self.BUCKETS.get(self.keys.device.type, 1) if bucket is None else bucket
        self.extent = 0
        self.uniform = True
        self.exit: ExitState | None = None

    @property
    def rows(self) -> int:
        """Rows N."""
        return self.keys.shape[1]

    @property
    def max_length(self) -> int:
        """Tokens that fit into a row."""
        return self.keys.shape[3]

    def reserve(self, tokens: int) -> None:
        """Check, on the host, that `tokens` more fit."""
        if self.extent + tokens > self.max_length:
            raise ValueError(f"the KV cache holds {self.max_length} tokens a row, {self.extent + tokens} are needed")

    def grow(self, max_length: int) -> None:
        """Make room for `max_length` tokens a row; what is there stays."""
        if max_length <= self.max_length:
            return
        *before, _, width = self.keys.shape
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = old.new_zeros(*before, max_length, width)
            new[:, :, :, : self.extent] = old[:, :, :, : self.extent]
            setattr(self, name, new)

    def reach(self, tokens: int) -> int:
        """The places that attention reads when `tokens` more have been written: all in use, rounded up."""
        return min(-(-(self.extent + tokens) // self.bucket) * self.bucket, self.max_length)

    def write(self, layer: int, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        """Put new keys and values [N, H, T, head width] of one layer at `positions` [N, T]."""
        count = keys.shape[2]
        if self.uniform and self.exit is None:
            start = self.extent
            self.keys[layer, :, :, start : start + count] = keys
            self.values[layer, :, :, start : start + count] = values
            return
        rows = torch.arange(self.rows, device=positions.device)[:, None]
        self.keys[layer][rows, :, positions] = keys.transpose(1, 2)
        self.values[layer][rows, :, positions] = values.transpose(1, 2)

    def read(self, layer: int, extent: int) -> tuple[Tensor, Tensor]:
        """Keys and values of the first `extent` places, views [N, H, extent, head width]."""
        return self.keys[layer, :, :, :extent], self.values[layer, :, :, :extent]

    def advance(self, tokens: int, lengths: Tensor | None = None) -> None:
        """Count `tokens` more in each row, or (prefill of an empty cache) `lengths` [N] of at most `tokens`."""
        if lengths is None:
            self.lengths += tokens
        else:
            self.lengths += lengths
            self.uniform = False
        if self.bucket > 1:
            self.uniform = False
        self.extent += tokens

    def select(self, rows: Tensor) -> None:
        """Keep the rows named by `rows` [M] long, in that order; a row may be named twice (beam search).

        As many rows as before stay in their memory. Fewer may be shorter ones, which the host then asks the device.
        """
        if len(rows) == self.rows:
            self.keys[:, :, :, : self.extent] = self.keys[:, rows, :, : self.extent]
            self.values[:, :, :, : self.extent] = self.values[:, rows, :, : self.extent]
        else:
            self.keys = self.keys.index_select(1, rows)
            self.values = self.values.index_select(1, rows)
        fewer = len(rows) < len(self.lengths)
        self.lengths = take_rows(self.lengths, rows)
        if fewer and not self.uniform:
            self._measure()
        if self.exit is not None:
            self.exit.select(rows)

    def put(self, rows: Tensor, other: KVCache) -> None:
        """Let the rows of `other` take the places `rows` [M] long, whatever was there. Waits for the device, once."""
        self.keys[:, rows, :, : other.extent] = other.keys[:, :, :, : other.extent]
        self.values[:, rows, :, : other.extent] = other.values[:, :, :, : other.extent]
        self.lengths[rows] = other.lengths
        self._measure()

    def clear(self, rows: Tensor) -> None:
        """Forget the tokens of `rows` [M] long; they begin again at their first place. Waits for the device, once."""
        self.lengths[rows] = 0
        self._measure()

    def _measure(self) -> None:
        if self.exit is not None:  # its rows also keep tokens that some layers have yet to run
            return
        self.extent = int(self.lengths.max())
        self.uniform = False

    def reset(self) -> None:
        """Forget all tokens; the memory stays."""
        self.lengths.zero_()
        self.extent = 0
        self.uniform = True
        self.exit = None
