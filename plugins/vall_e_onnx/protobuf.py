"""ONNX files, as far as a graph of this package needs them: a writer of their protocol-buffer encoding.

Field numbers are those of onnx.proto (ONNX 1.16); the encoding is protobuf's wire format. Only names, shapes and
attributes are written: the weights are handed to the session in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

FLOAT, UINT8, INT8, INT32, INT64 = 1, 2, 3, 6, 7
"""Element types (TensorProto.DataType)."""
IR_VERSION, OPSET = 10, 21
CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

Dimension = int | str
Attribute = int | float | str


def varint(value: int) -> bytes:
    """A whole number, 0 or more, seven bits a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(tag: int, value: int) -> bytes:
    """A field that holds a number; negative ones as 64-bit two's complement."""
    return varint(tag << 3) + varint(value & 0xFFFFFFFFFFFFFFFF)


def block(tag: int, content: bytes | str) -> bytes:
    """A field that holds text or another message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(tag << 3 | 2) + varint(len(data)) + data


def attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto."""
    if isinstance(value, int):
        return block(1, name) + number(3, value) + number(20, 2)
    if isinstance(value, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    return block(1, name) + block(4, value) + number(20, 3)


def described(name: str, kind: int, shape: Sequence[Dimension]) -> bytes:
    """ValueInfoProto: a dimension is a number, or a name where it varies."""
    sizes = b"".join(block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in shape)
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, sizes)))


def promised(name: str, kind: int, shape: Sequence[int]) -> bytes:
    """TensorProto of a weight that the session gets in memory; the file it names is never looked for."""
    sizes = b"".join(number(1, d) for d in shape)
    place = block(13, block(1, "location") + block(2, "in memory"))
    return sizes + number(2, kind) + block(8, name) + place + number(14, 1)


@dataclass
class Graph:
    """A graph in the making."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _inputs: list[bytes] = field(default_factory=list)
    _outputs: list[bytes] = field(default_factory=list)
    _weights: list[bytes] = field(default_factory=list)

    def node(
        self, operator: str, inputs: Iterable[str], outputs: Iterable[str], domain: str = "", **attributes: Attribute
    ) -> None:
        """One operation; an empty name is an input or output left out."""
        content = b"".join(block(1, each) for each in inputs) + b"".join(block(2, each) for each in outputs)
        content += block(4, operator)
        content += b"".join(block(5, attribute(name, value)) for name, value in attributes.items())
        self._nodes.append(content + block(7, domain))

    def input(self, name: str, kind: int, shape: Sequence[Dimension]) -> None:
        """What each run hands in."""
        self._inputs.append(described(name, kind, shape))

    def output(self, name: str, kind: int, shape: Sequence[Dimension]) -> None:
        """What each run hands out."""
        self._outputs.append(described(name, kind, shape))

    def weight(self, name: str, kind: int, shape: Sequence[int]) -> None:
        """A constant."""
        self._weights.append(promised(name, kind, shape))

    def model(self, domains: Mapping[str, int] | None = None) -> bytes:
        """The file (ModelProto)."""
        graph = b"".join(block(1, each) for each in self._nodes) + block(2, self.name)
        graph += b"".join(block(5, each) for each in self._weights)
        graph += b"".join(block(11, each) for each in self._inputs)
        graph += b"".join(block(12, each) for each in self._outputs)
        versions = {"": OPSET, CONTRIB: 1} if domains is None else domains
        imports = b"".join(block(8, block(1, domain) + number(2, version)) for domain, version in versions.items())
        return number(1, IR_VERSION) + block(2, "vall-e") + block(7, graph) + imports
