"""Whole AR steps as CUDA graphs: the model's pass, the sampling chain, noise and stops in one launch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Engine, ModelError, hookimpl

if TYPE_CHECKING:
    from vall_e_lm import EngineModel


class CudaGraph(Engine):
    """Runs whole AR steps in one launch on a CUDA GPU, and everything else as eager. Not yet run on a GPU."""

    name = "cuda-graph"
    devices = frozenset({"cuda"})
    dtypes = frozenset({"float32", "bfloat16", "float16"})
    quantizations = frozenset({"none"})
    automatic = False
    order = 10

    def build(self, ctx: BuildContext) -> EngineModel:
        import torch

        device = torch.device(ctx.device)
        if device.type != "cuda" or not torch.cuda.is_available():
            raise ModelError(
                f"the engine {self.name} needs a GPU that CUDA knows", cause=f"the device is {ctx.device}",
                try_="--device cuda, or --engine eager",
            )  # fmt: skip
        from .graphs import Cuda
        from .recorder import GraphEngine, GraphRecorder

        return GraphEngine(GraphRecorder(Cuda(device), ctx.notify))


@hookimpl
def vall_e_engines() -> Iterable[type[Engine]]:
    return [CudaGraph]
