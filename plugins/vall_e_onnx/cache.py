"""A KV cache of 8-bit numbers: what a step reads of a long past is a quarter of what float32 takes.

Each channel of each head has one scale for all rows and places, so that a row's numbers depend on nothing but the row.
The scales are found once, by a pass of the model over arbitrary input, and belong to the converted weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_lm import Inputs, KVCache, Target

from .graph import PARTS, StepShape
from .quantize import MOST8
from .runtime import state
from .step import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vall_e_lm import Backbone, BaseModel

MARGIN = 1.5
"""By which a channel may exceed what the pass has shown before it is clipped."""
REFUSALS = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException)
"""How ONNX Runtime says that it doesn't know an operator's attribute or type."""
TOLERANCE = 0.05
"""Relative, of a step whose keys and values are rounded."""
LEAST_SCALE = 1e-8
"""Of a channel in which nothing was seen: its reciprocal is still a number."""
PHONEMES, PROMPT, RESPONSE, WRITTEN = 60, 75, 100, 30
"""Tokens and frames of the pass."""


@dataclass(frozen=True)
class Scales:
    """What a unit stands for: `keys` and `values` [layers, H, 1, head width] float32."""

    keys: Tensor
    values: Tensor

    def largest(self, other: Scales) -> Scales:
        """Scales that suit both."""
        return Scales(torch.maximum(self.keys, other.keys), torch.maximum(self.values, other.values))


class RoundedCache(KVCache):
    """Takes and gives float32, and keeps it rounded. A prefill still attends to its own unrounded keys and values."""

    def __init__(
        self, layers: int, rows: int, heads: int, max_length: int, head_width: int, *, scales: Scales,
        device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, bucket: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, rows, heads, max_length, head_width, device=device, dtype=torch.int8, bucket=bucket)
        self.scales = scales

    def write(self, layer: int, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        """As `KVCache.write`."""
        super().write(
            layer, _rounded(keys, self.scales.keys[layer]), _rounded(values, self.scales.values[layer]), positions
        )

    def read(self, layer: int, extent: int) -> tuple[Tensor, Tensor]:
        """As `KVCache.read`, but copies."""
        keys, values = super().read(layer, extent)
        return keys * self.scales.keys[layer], values * self.scales.values[layer]


def _rounded(values: Tensor, scales: Tensor) -> Tensor:
    return (values / scales).round_().clamp_(-MOST8, MOST8).to(torch.int8)


@cache
@torch.inference_mode()
def rounded_cache_works() -> bool:
    """Has this ONNX Runtime attention through a cache of 8 bits on a CPU, and is it right? Older ones don't know it."""
    width, past = 16, 4
    stream = torch.Generator().manual_seed(0)
    unit = torch.full((1, 1, 1, width), 4.0 / MOST8)
    keys, values, x = (torch.randn(1, 1, length, width, generator=stream) for length in (past, past, 1))
    weights = {f"0.{name}.gain": torch.ones(width) for name in ("before", "between")}

    def step(rounded: bool) -> Tensor:
        shape = StepShape(1, width, 1, False, 32, (width, width), rounded_cache=rounded)
        for product, parts in PARTS.items():
            outputs, inputs, _ = shape.sizes(product)
            for part in parts:
                weights[f"0.{part}.weight"] = torch.eye(outputs // len(parts), inputs)
        scales = {f"0.{part}_scales": unit[0] for part in ("keys", "values")} if rounded else {}
        kind = partial(RoundedCache, scales=Scales(unit, unit)) if rounded else KVCache
        kept = kind(1, 1, 1, past + 1, width)
        kept.write(0, keys, values, torch.arange(past)[None])
        kept.advance(past)
        straight, none = torch.ones(1, width // 2), torch.zeros(1, width // 2)
        return Step(shape, weights | scales, 1)(x[0], straight, none, torch.tensor([past]), past + 1, kept)

    try:
        found, expected = step(True), step(False)
    except REFUSALS:
        return False
    return bool((found - expected).norm() < TOLERANCE * expected.norm())


@torch.inference_mode()
def measure(model: BaseModel, backbone: Backbone) -> Scales:
    """Scales by a pass over arbitrary phonemes and codes, always the same.

    A rotation carries a key's magnitude from one channel of a pair to the other, so both get that of the pair.
    """
    config = model.config
    least = torch.full((config.layers, config.heads, 1, config.head_width), LEAST_SCALE)
    found = Scales(least, least)
    for target, inputs in _arbitrary(model):
        sequence = model.embed(inputs, target)
        embeds = sequence.embeds[None]
        cache = KVCache(config.layers, 1, config.heads, embeds.shape[1], config.head_width)
        attend = backbone.attend(embeds, sequence.positions[None], causal=True, cache=cache)
        backbone(embeds, attend)
        keys, values = (part[:, 0].abs().amax(2, keepdim=True) for part in (cache.keys, cache.values))
        first, second = keys.chunk(2, -1)
        pairs = torch.hypot(first, second)
        unit = MARGIN / MOST8
        found = found.largest(Scales(torch.cat((pairs, pairs), -1) * unit, values * unit))
    return found


def _arbitrary(model: BaseModel) -> Iterator[tuple[Target, Inputs]]:
    """One sequence for each target that is written token by token."""
    config, stream = model.config, torch.Generator().manual_seed(0)

    def some(most: int, *shape: int) -> Tensor:
        return torch.randint(0, most, shape, generator=stream)

    phonemes, prompt = some(config.phoneme_tokens, PHONEMES), some(config.audio_tokens, PROMPT, config.levels)
    codes = some(config.audio_tokens, RESPONSE, config.levels)
    level0 = codes if config.version == 7 else codes[:, 0]
    for target, inputs in (
        (Target("ar"), Inputs(phonemes, 0, prompt, level0)),
        (Target("stt"), Inputs(language=0, response=codes, tokens=some(config.phoneme_tokens, WRITTEN))),
        (Target("len"), Inputs(phonemes, 0, prompt, tokens=some(10, 2))),
    ):
        if model.supports(target):
            yield target, inputs
