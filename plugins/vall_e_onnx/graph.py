"""One decoding step of all layers as an ONNX graph: a new token a row in, its hidden state out, the KV cache in place.

Beside standard operators it uses ONNX Runtime's: MatMulNBits (weights of few bits, whose accuracy level 4 rounds its
input to 8 bits a block), FusedMatMul (float32 weights as torch keeps them, outputs first), GroupQueryAttention (rotary
positions, attention through a cache whose rows stand at different lengths) and SkipSimplifiedLayerNormalization
(residual sum and norm at once).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .protobuf import CONTRIB, FLOAT, INT8, INT32, INT64, UINT8, Attribute, Dimension, Graph

PRODUCTS = ("qkv", "out", "gate_up", "down")
"""The four products of a layer: queries, keys and values together; gate and up together."""
PARTS: Mapping[str, tuple[str, ...]] = {
    "qkv": ("q", "k", "v"), "out": ("out",), "gate_up": ("gate", "up"), "down": ("down",),
}  # fmt: skip
"""What each of them consists of. Float32 weights are multiplied one by one, so that they may stay where they lie."""
EPSILON = 1e-6


@dataclass(frozen=True)
class StepShape:
    """What the graph depends on."""

    layers: int
    width: int
    heads: int
    final_norm: bool
    bits: int
    """Of a weight: 4, 8, or 32 for the weights as they are."""
    blocks: tuple[int, int]
    """Inputs that share a scale, of a product that reads `width` inputs and of one that reads four times as many."""
    steps: bool = True
    """Whether the operators take the model's heads: else there is no graph."""
    rounded_cache: bool = False
    """Whether keys and values are kept in 8 bits."""

    def sizes(self, product: str) -> tuple[int, int, int]:
        """Outputs, inputs and block of a product."""
        d, (narrow, wide) = self.width, self.blocks
        outputs = {"qkv": 3 * d, "out": d, "gate_up": 8 * d, "down": d}[product]
        return (outputs, 4 * d, wide) if product == "down" else (outputs, d, narrow)

    @property
    def exact(self) -> bool:
        """Are the weights as they are?"""
        return self.bits == 32


def step_graph(shape: StepShape) -> bytes:
    """The graph, without its weights.

    Inputs: `x` [N, 1, D], `places` int32 [N] (where each row's token goes), `extent` int32 [1] (places in use),
    `angles` int64 [N, 1] (rows of `cos` and `sin` [P, h / 2], P at least `extent`), and for each layer `keys.i`,
    `values.i` [N, H, M, h], float32 or int8. Outputs: `y` [N, 1, D], and the same buffers as `new_keys.i`,
    `new_values.i`.
    """
    graph, d, h = Graph("step"), shape.width, shape.heads
    graph.input("x", FLOAT, ["N", 1, d])
    graph.input("places", INT32, ["N"])
    graph.input("extent", INT32, [1])
    graph.input("angles", INT64, ["N", 1])
    for name in ("cos", "sin"):
        graph.input(name, FLOAT, ["P", d // h // 2])
    graph.output("y", FLOAT, ["N", 1, d])
    cache: list[Dimension] = ["N", h, "M", d // h]
    kept = INT8 if shape.rounded_cache else FLOAT
    residual, added = "x", ""
    for i in range(shape.layers):
        residual = _norm(graph, residual, added, f"{i}.before", d)
        qkv = _product(graph, shape, i, "qkv", "before")
        for part in ("keys", "values"):
            graph.input(f"{part}.{i}", kept, cache)
            graph.output(f"new_{part}.{i}", kept, cache)
        _attention(graph, shape, i, qkv)
        _product(graph, shape, i, "out", "seen")
        residual = _norm(graph, residual, f"{i}.out", f"{i}.between", d)
        both = _product(graph, shape, i, "gate_up", "between")
        if len(both) == 1:
            graph.node("Split", both, [f"{i}.gate", f"{i}.up"], axis=-1, num_outputs=2)
        graph.node("Gelu", [f"{i}.gate"], [f"{i}.open"], CONTRIB)
        graph.node("Mul", [f"{i}.open", f"{i}.up"], [f"{i}.hidden"])
        _product(graph, shape, i, "down", "hidden")
        added = f"{i}.down"
    if shape.final_norm:
        _norm(graph, residual, added, "y", d)
    else:
        graph.node("Add", [residual, added], ["y"])
    return graph.model()


def _norm(graph: Graph, residual: str, added: str, out: str, width: int) -> str:
    """`out` = norm(residual + added); the name of that sum."""
    gain = "y.gain" if out == "y" else f"{out}.gain"
    graph.weight(gain, FLOAT, [width])
    if not added:
        graph.node("SimplifiedLayerNormalization", [residual, gain], [out], axis=-1, epsilon=EPSILON)
        return residual
    total = f"{out}.sum"
    graph.node(
        "SkipSimplifiedLayerNormalization", [residual, added, gain], [out, "", "", total], CONTRIB, epsilon=EPSILON
    )
    return total


def _attention(graph: Graph, shape: StepShape, layer: int, qkv: list[str]) -> None:
    """Rotate, write and attend; a cache of 8 bits has a scale for each channel of each head."""
    h = shape.heads
    given = [*qkv, *[""] * (3 - len(qkv)), *(f"{part}.{layer}" for part in ("keys", "values"))]
    given += ["places", "extent", "cos", "sin", "angles"]
    how: dict[str, Attribute] = {"num_heads": h, "kv_num_heads": h, "do_rotary": 1, "rotary_interleaved": 0}
    if shape.rounded_cache:
        scales = [f"{layer}.{part}_scales" for part in ("keys", "values")]
        for name in scales:
            graph.weight(name, FLOAT, [h, 1, shape.width // h])
        given += ["", "", *scales]
        how |= {"k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}
    made = [f"{layer}.seen", f"new_keys.{layer}", f"new_values.{layer}"]
    graph.node("GroupQueryAttention", given, made, CONTRIB, **how)


def _product(graph: Graph, shape: StepShape, layer: int, product: str, source: str) -> list[str]:
    """Multiply; the names of the results: one of all parts together, or (float32) one for each part."""
    outputs, inputs, size = shape.sizes(product)
    given = f"{layer}.{source}"
    if shape.exact:
        names = [f"{layer}.{part}" for part in PARTS[product]]
        for name in names:
            graph.weight(f"{name}.weight", FLOAT, [outputs // len(names), inputs])
            graph.node("FusedMatMul", [given, f"{name}.weight"], [name], CONTRIB, transB=1)
        return names
    name = f"{layer}.{product}"
    graph.weight(f"{name}.weight", UINT8, [outputs, inputs // size, size * shape.bits // 8])
    graph.weight(f"{name}.scales", FLOAT, [outputs, inputs // size])
    graph.node(
        "MatMulNBits", [given, f"{name}.weight", f"{name}.scales"], [name], CONTRIB,
        K=inputs, N=outputs, bits=shape.bits, block_size=size, accuracy_level=4,
    )  # fmt: skip
    return [name]
