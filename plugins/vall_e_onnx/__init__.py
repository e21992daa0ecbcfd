"""On a CPU: steps in ONNX Runtime, weights as they are or of 8 or 4 bits; prefill and whole levels in oneDNN."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Engine, LazyCommand, ModelError, hookimpl

if TYPE_CHECKING:
    from vall_e_lm import EngineModel


class Onnx(Engine):
    """Runs decoding steps in ONNX Runtime, with float32, 8-bit or 4-bit weights; needs `pip install vall-e[fast]`."""

    name = "onnx"
    devices = frozenset({"cpu"})
    dtypes = frozenset({"float32"})
    quantizations = frozenset({"none", "int8", "int4"})
    order = 10

    @classmethod
    def available(cls) -> bool:
        return find_spec("onnxruntime") is not None

    def build(self, ctx: BuildContext) -> EngineModel:
        if not self.available():
            raise ModelError(
                "the engine onnx needs ONNX Runtime, which isn't installed",
                cause="no package onnxruntime was found",
                try_='pip install "vall-e[fast]", or --engine eager',
            )
        try:
            from .convert import OnnxModel
        except ImportError as error:
            raise ModelError(
                "the engine onnx can't load ONNX Runtime", cause=str(error), try_="--engine eager"
            ) from error
        return OnnxModel({"none": 32, "int8": 8, "int4": 4}[ctx.quantize], ctx.threads or 1, ctx.notify)


@hookimpl
def vall_e_engines() -> Iterable[type[Engine]]:
    return [Onnx]


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    return [LazyCommand("engines", "list engines, delete converted weights", f"{__name__}.commands:engines")]
