"""A model's backbone as an engine runs it: as it is, or rounded once and kept on disk; built into layers and a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vall_e_core import ModelError
from vall_e_lm import Backbone, BaseModel

from . import store
from .blocks import StepBackbone, WideBlock
from .cache import RoundedCache, Scales, measure, rounded_cache_works
from .graph import PARTS, PRODUCTS, StepShape
from .product import Wide, wide_works
from .quantize import BLOCK4, BLOCK8, Eight, Four, block_size
from .step import Step

if TYPE_CHECKING:
    Notify = Callable[[str], None]

HEAD_MULTIPLE = 16
"""The attention operator takes heads whose width is a multiple of this; the products, blocks of that many inputs."""


@dataclass(frozen=True)
class OnnxModel:
    """The built engine."""

    bits: int
    threads: int
    notify: Notify
    name: str = "onnx"

    def adopt(self, model: BaseModel, identity: str | None) -> None:
        """Replace the backbones of `model`, in place; weights that were rounded are let go.

        A model whose heads the step's operators don't take is run at 8 bits by its layers, step by step. Raises
        ModelError where that isn't what was asked for, or this machine can't.
        """
        shape = step_shape(model, self.bits)
        if not shape.steps:
            if shape.exact:
                raise ModelError(
                    "the engine onnx can't run this model",
                    cause=_heads(shape, model.config.head_width),
                    try_="--engine eager",
                )
            if self.bits == 4 or not wide_works():
                raise ModelError(
                    f"the engine onnx can't run this model at {self.bits} bits",
                    cause=_heads(shape, model.config.head_width),
                    try_="--quantize int8" if wide_works() else "--quantize none",
                )
            self.notify("ONNX Runtime doesn't support the model's heads: torch runs its steps, at 8 bits")
        levels = model.backbones()
        distinct: dict[int, tuple[int | None, Backbone]] = {}
        for level, backbone in levels.items():
            distinct.setdefault(id(backbone), (level, backbone))
        if shape.exact:
            done = {key: exact(backbone, shape, self.threads) for key, (_, backbone) in distinct.items()}
        else:
            done = self._rounded(model, distinct, shape, identity)
        for level, backbone in levels.items():
            model.set_backbone(level, done[id(backbone)])

    def _rounded(
        self, model: BaseModel, distinct: Mapping[int, tuple[int | None, Backbone]], shape: StepShape,
        identity: str | None,
    ) -> dict[int, StepBackbone]:  # fmt: skip
        """The converted backbones by their keys; one cache suits them all."""
        tensors = {key: self._tensors(model, *each, shape, identity) for key, each in distinct.items()}
        if shape.rounded_cache:
            scales = reduce(Scales.largest, (Scales(each["keys"], each["values"]) for each in tensors.values()))
            model.cache_type = partial(RoundedCache, scales=scales)
            for each in tensors.values():
                each |= {"keys": scales.keys, "values": scales.values}
        return {
            key: built(backbone, shape, tensors[key], self.threads) for key, (_, backbone) in distinct.items()
        }  # fmt: skip

    def _tensors(
        self, model: BaseModel, level: int | None, backbone: Backbone, shape: StepShape, identity: str | None
    ) -> dict[str, Tensor]:
        path = None if identity is None else store.place(identity, {"bits": self.bits, "level": level})
        tensors = None if path is None else store.read(path, expected_tensors(shape))
        if tensors is None:
            tensors = rounded(backbone, shape, self.notify)
            if shape.steps:
                scales = measure(model, backbone)
                tensors |= {"keys": scales.keys, "values": scales.values}
            if path is not None and not store.write(path, tensors):
                self.notify(f"the converted weights can't be stored in {path.parent}; they will be converted again "
                            "next time")
        return tensors


def _heads(shape: StepShape, width: int) -> str:
    wanted = f"steps take heads that are multiples of {HEAD_MULTIPLE} wide"
    return f"its width is {shape.width} and its heads' {width}; {wanted}"


def step_shape(model: BaseModel, bits: int) -> StepShape:
    """What the graph depends on."""
    config, most = model.config, BLOCK8 if bits == 8 else BLOCK4
    sizes = block_size(config.width, most), block_size(4 * config.width, most)
    fits = config.head_width % HEAD_MULTIPLE == 0  # the width, their multiple, then divides into blocks as well
    kept = fits and bits < 32 and rounded_cache_works()
    return StepShape(config.layers, config.width, config.heads, config.final_norm, bits, sizes, fits, kept)


def expected_tensors(shape: StepShape) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what a converted backbone consists of; its norms are not among them. `keys`, `values`: the
    scales of a cache of 8 bits."""
    found: dict[str, tuple[int, ...]] = {}
    if shape.steps:
        found = dict.fromkeys(("keys", "values"), (shape.layers, shape.heads, 1, shape.width // shape.heads))
    for i in range(shape.layers):
        for product in PRODUCTS:
            outputs, inputs, size = shape.sizes(product)
            found[f"{i}.{product}.int8"] = (outputs, inputs)
            found[f"{i}.{product}.int8_scales"] = (outputs,)
            if shape.bits == 4:
                found[f"{i}.{product}.int4"] = (outputs, inputs // size, size // 2)
                found[f"{i}.{product}.int4_scales"] = (outputs, inputs // size)
    return found


def weights_of(block: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The weights of a layer's products, in the order in which they are stacked."""
    each = dict(block.named_parameters())
    attention, mlp = "self_attn.{}_proj.weight", "mlp.{}_proj.weight"
    return {
        "qkv": [each[attention.format(name)] for name in "qkv"],
        "out": [each[attention.format("o")]],
        "gate_up": [each[mlp.format(name)] for name in ("gate", "up")],
        "down": [each[mlp.format("down")]],
    }


@torch.inference_mode()
def exact(backbone: Backbone, shape: StepShape, threads: int) -> StepBackbone:
    """The layers as they are, and steps with their weights where they lie."""
    found = gains(backbone, shape)
    for i, block in enumerate(backbone.layers):
        for product, weights in weights_of(block).items():
            for part, weight in zip(PARTS[product], weights, strict=True):
                found[f"{i}.{part}.weight"] = weight.detach()
    return StepBackbone(backbone.layers, backbone.norm, backbone.head_width, Step(shape, found, threads))


@torch.inference_mode()
def rounded(backbone: Backbone, shape: StepShape, notify: Notify) -> dict[str, Tensor]:
    """All products, rounded."""
    notify(f"converting the weights to {shape.bits} bits")
    found: dict[str, Tensor] = {}
    for i, block in enumerate(backbone.layers):
        for product, parts in weights_of(block).items():
            weight = torch.cat([part.detach() for part in parts])
            eight = Eight.of(weight)
            found[f"{i}.{product}.int8"], found[f"{i}.{product}.int8_scales"] = eight.values, eight.scales
            if shape.bits == 4:
                four = Four.of(weight, shape.sizes(product)[2])
                found[f"{i}.{product}.int4"], found[f"{i}.{product}.int4_scales"] = four.values, four.scales
    return found


@torch.inference_mode()
def built(backbone: Backbone, shape: StepShape, tensors: Mapping[str, Tensor], threads: int) -> StepBackbone:
    """The converted backbone. Where this machine has no exact 8-bit products of many rows, its layers stay as they are
    and only the steps are converted."""
    step = Step(shape, step_weights(backbone, shape, tensors), threads) if shape.steps else None
    layers = backbone.layers
    if wide_works():
        layers = nn.ModuleList(
            WideBlock(
                {
                    product: Wide(Eight(tensors[f"{i}.{product}.int8"], tensors[f"{i}.{product}.int8_scales"]))
                    for product in PRODUCTS
                },
                (block.get_submodule("input_layernorm"), block.get_submodule("post_attention_layernorm")),
                shape.heads,
            )
            for i, block in enumerate(backbone.layers)
        )
    return StepBackbone(layers, backbone.norm, backbone.head_width, step)


def step_weights(backbone: Backbone, shape: StepShape, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The constants of the step's graph by name."""
    found = gains(backbone, shape)
    for i in range(shape.layers):
        if shape.rounded_cache:
            found[f"{i}.keys_scales"], found[f"{i}.values_scales"] = tensors["keys"][i], tensors["values"][i]
        for product in PRODUCTS:
            name, size = f"{i}.{product}", shape.sizes(product)[2]
            if shape.bits == 4:
                found[f"{name}.weight"] = tensors[f"{name}.int4"]
                found[f"{name}.scales"] = tensors[f"{name}.int4_scales"]
                continue
            whole = tensors[f"{name}.int8"]
            values = whole.view(len(whole), -1, size)
            found[f"{name}.weight"] = values.view(torch.uint8) ^ 0x80  # the operator takes them 128 higher
            scales = tensors[f"{name}.int8_scales"]
            found[f"{name}.scales"] = scales[:, None].expand(-1, values.shape[1]).contiguous()
    return found


def gains(backbone: Backbone, shape: StepShape) -> dict[str, Tensor]:
    """Those of the norms, by their names in the step's graph."""
    found: dict[str, Tensor] = {}
    for i, block in enumerate(backbone.layers):
        found[f"{i}.before.gain"] = block.get_parameter("input_layernorm.weight").detach()
        found[f"{i}.between.gain"] = block.get_parameter("post_attention_layernorm.weight").detach()
    if shape.final_norm:
        found["y.gain"] = backbone.get_parameter("norm.weight").detach()
    return found
