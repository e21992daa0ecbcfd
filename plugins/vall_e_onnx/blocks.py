"""The model's layers with 8-bit weights, and a backbone whose single steps are made by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from vall_e_lm import Attend, Backbone, in_pieces

from .product import Wide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .step import Step


class WideBlock(nn.Module):
    """A layer: norm, attention, residual, norm, gated MLP, residual; four products of 8 bits."""

    def __init__(self, products: Mapping[str, Wide], norms: tuple[nn.Module, nn.Module], heads: int) -> None:
        super().__init__()
        self.qkv, self.out, self.gate_up, self.down = (products[name] for name in ("qkv", "out", "gate_up", "down"))
        self.before, self.between = norms
        self.heads = heads

    def forward(self, x: Tensor, attend: Attend, layer: int) -> Tensor:  # [N, T, D] -> [N, T, D]
        """Run the layer."""
        n, t, d = x.shape
        q, k, v = self.qkv(self.before(x)).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(attend(layer, q, k, v).transpose(1, 2).reshape(n, t, d))
        return x + in_pieces(self._mlp, self.between(x))

    def _mlp(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, -1)
        out: Tensor = self.down(F.gelu(gate).mul_(up))
        return out


class StepBackbone(Backbone):
    """A backbone that hands steps of one token a row to ONNX Runtime, and everything else to its layers.

    Under early exit steps are the layers' too: how many of them run depends on what they say."""

    def __init__(self, layers: nn.ModuleList, norm: nn.Module, head_width: int, step: Step | None) -> None:
        nn.Module.__init__(self)
        self.layers, self.norm, self.head_width = layers, norm, head_width
        self.step = step

    def forward(self, embeds: Tensor, attend: Attend) -> Tensor:  # [N, T, D] -> [N, T, D]
        """All layers and the final norm."""
        cache, places = attend.cache, attend.places
        one = embeds.shape[1] == 1 and attend.extent > 0
        if self.step is None or cache is None or places is None or not one or cache.exit is not None:
            out: Tensor = super().forward(embeds, attend)
            return out
        cos, sin = attend.rotary.cos[:, 0, 0], attend.rotary.sin[:, 0, 0]
        return self.step(embeds, cos, sin, places[:, 0], attend.extent, cache)
