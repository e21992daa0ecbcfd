"""The transformer: pre-norm Llama blocks with an exact-GELU gate, rotary positions, inputs given as embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cache import KVCache
from .config import ModelConfig
from .linear import Linear

ROPE_BASE = 10000.0
NORM_EPS = 1e-6
MOST_ROWS = 2048
"""Rows that a CPU takes through a layer's MLP at a time."""


def in_pieces(work: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`work` [R, D] -> [R, D], whose rows don't depend on each other, done on x [..., D], by a CPU so many rows at a
    time: of a batch's prefill an MLP's hidden tensors would be the largest there are."""
    rows = x.numel() // x.shape[-1]
    if rows <= MOST_ROWS or x.device.type != "cpu" or torch.is_grad_enabled():
        return work(x)
    return torch.cat([work(part) for part in torch.split(x.reshape(rows, -1), MOST_ROWS)]).view_as(x)


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32, times a gain [D]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:  # [..., D] -> [..., D]
        """Normalise the last dimension."""
        if x.dtype == torch.float32:
            return F.rms_norm(x, self.weight.shape, self.weight, NORM_EPS)
        return F.rms_norm(x.float(), self.weight.shape, None, NORM_EPS).to(x.dtype) * self.weight


@dataclass
class Rotary:
    """Cosines and sines [N, 1, T, head width / 2] of a batch's positions."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def at(cls, positions: Tensor, head_width: int, dtype: torch.dtype) -> Rotary:
        """Angles of `positions` [N, T]; frequencies and angles in float32."""
        steps = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32)
        angles = positions[:, None, :, None].float() * ROPE_BASE ** (-steps / head_width)
        return cls(angles.cos().to(dtype), angles.sin().to(dtype))

    def __call__(self, x: Tensor) -> Tensor:  # [N, H, T, head width] -> same
        """Rotate the first half of each head against the second."""
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * self.cos - b * self.sin, b * self.cos + a * self.sin), dim=-1)


@dataclass
class Attend:
    """How the queries of one forward pass see keys; the same for every layer."""

    rotary: Rotary
    mask: Tensor | None = None
    """True where a key is seen: [N, 1, T, K], or None."""
    causal: bool = False
    """Square and causal, with no mask."""
    cache: KVCache | None = None
    places: Tensor | None = None
    """[N, T]: where the cache keeps the new tokens."""
    extent: int = 0
    """Places of the cache that are read; 0: only the new tokens."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # 3 x [N, H, T, h] -> [N, H, T, h]
        """Scaled dot-product attention of one layer, through the cache where there is one."""
        q, k = self.rotary(q), self.rotary(k)
        if self.cache is not None and self.places is not None:
            self.cache.write(layer, k, v, self.places)
            if self.extent:
                k, v = self.cache.read(layer, self.extent)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask, is_causal=self.causal)


class Attention(nn.Module):
    """Multi-head self-attention without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = Linear(width, width)
        self.k_proj = Linear(width, width)
        self.v_proj = Linear(width, width)
        self.o_proj = Linear(width, width)

    def forward(self, x: Tensor, attend: Attend, layer: int) -> Tensor:  # [N, T, D] -> [N, T, D]
        """Project, attend, project back."""
        n, t, d = x.shape
        q, k, v = (p(x).view(n, t, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        out: Tensor = self.o_proj(attend(layer, q, k, v).transpose(1, 2).reshape(n, t, d))
        return out


class GatedMLP(nn.Module):
    """`down(GELU(gate(x)) * up(x))` with the exact GELU; hidden width 4 D."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate_proj = Linear(width, 4 * width)
        self.up_proj = Linear(width, 4 * width)
        self.down_proj = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:  # [..., D] -> [..., D]
        """Gate, multiply, project."""
        return in_pieces(self._some, x)

    def _some(self, x: Tensor) -> Tensor:
        gate, up = F.gelu(self.gate_proj(x)), self.up_proj(x)
        hidden = gate * up if torch.is_grad_enabled() else gate.mul_(up)
        out: Tensor = self.down_proj(hidden)
        return out


class Block(nn.Module):
    """One layer: norm, attention, residual, norm, MLP, residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(width)
        self.self_attn = Attention(width, heads)
        self.post_attention_layernorm = RMSNorm(width)
        self.mlp = GatedMLP(width)

    def forward(self, x: Tensor, attend: Attend, layer: int) -> Tensor:  # [N, T, D] -> [N, T, D]
        """Run the layer."""
        x = x + self.self_attn(self.input_layernorm(x), attend, layer)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Backbone(nn.Module):
    """N blocks and a final norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_width = config.head_width
        self.layers = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm: nn.Module = RMSNorm(config.width) if config.final_norm else nn.Identity()

    def attend(
        self,
        embeds: Tensor,
        positions: Tensor,
        *,
        causal: bool,
        lengths: Tensor | None = None,
        blocks: Tensor | None = None,
        cache: KVCache | None = None,
        places: Tensor | None = None,
        extent: int | None = None,
    ) -> Attend:
        """Angles and mask of one pass. Right-padded rows need no mask under causal attention: nothing valid sees them.

        With a cache: an empty one is filled from place 0 and the new tokens attend among themselves; otherwise they are
        written at `places` [N, T] (default: each row's end) and see everything up to their own place; `extent` bounds
        the places of all rows.
        """
        count, device = embeds.shape[1], embeds.device
        rotary = Rotary.at(positions, self.head_width, embeds.dtype)
        if cache is not None:
            if not causal:
                raise ValueError("a KV cache needs causal attention")
            if cache.extent == 0:
                return Attend(rotary, None, True, cache, torch.arange(count, device=device).expand(len(embeds), -1))
            if places is None:
                places = cache.lengths[:, None] + torch.arange(count, device=device)
            extent = cache.reach(count) if extent is None else extent
            alone = cache.uniform and count == 1 and cache.exit is None
            mask = None if alone else torch.arange(extent, device=device) <= places[:, None, :, None]
            return Attend(rotary, mask, False, cache, places, extent)
        if causal:
            return Attend(rotary, None, True)
        mask = None
        if lengths is not None:
            mask = (torch.arange(count, device=device) < lengths[:, None])[:, None, None]
        if blocks is not None:
            seen = blocks[:, None, None, :] <= blocks[:, None, :, None]
            mask = seen if mask is None else mask & seen
        return Attend(rotary, mask)

    def forward(self, embeds: Tensor, attend: Attend) -> Tensor:  # [N, T, D] -> [N, T, D]
        """All layers and the final norm."""
        x = embeds
        for i, layer in enumerate(self.layers):
            x = layer(x, attend, i)
        out: Tensor = self.norm(x)
        return out
