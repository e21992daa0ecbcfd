"""A step in ONNX Runtime: the session, and the binding of its inputs to torch's memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from vall_e_lm import KVCache

from .graph import StepShape, step_graph
from .runtime import onnxruntime

_TYPES = {torch.float32: np.float32, torch.int8: np.int8, torch.int32: np.int32, torch.int64: np.int64}
FATAL_ONLY = 4
PACKED_BYTES = 64 << 20
"""Float32 weights of up to this size are packed by ONNX Runtime, which takes the same memory again and makes several
rows quicker."""


class Step:
    """One new token a row through all layers. Any number of caches may take turns, in any number of threads."""

    def __init__(self, shape: StepShape, weights: Mapping[str, Tensor], threads: int) -> None:
        """`weights`: every constant of the graph by name (`step_weights`)."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = FATAL_ONLY
        options.enable_cpu_mem_arena = False  # the cache lies in torch's memory, and what else a step needs is small
        spin = "1" if os.environ.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE" else "0"
        options.add_session_config_entry("session.intra_op.allow_spinning", spin)
        size = sum(tensor.nbytes for tensor in weights.values())
        if shape.exact and size > PACKED_BYTES:
            options.add_session_config_entry("session.disable_prepacking", "1")
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor.contiguous().numpy()) for tensor in weights.values()]
        options.add_external_initializers(list(weights), values)
        self.shape = shape
        self._session = onnxruntime.InferenceSession(step_graph(shape), options, providers=["CPUExecutionProvider"])
        self._bound: WeakKeyDictionary[KVCache, _Bound] = WeakKeyDictionary()

    def __call__(self, x: Tensor, cos: Tensor, sin: Tensor, places: Tensor, extent: int, cache: KVCache) -> Tensor:
        """x [N, 1, D], angles of its positions cos, sin [N, h / 2], places [N]: where the cache keeps it -> [N, 1, D].

        `extent`: places of the cache in use, the new one included.
        """
        bound = self._bound.get(cache)
        if bound is None or not bound.fits(cache):
            bound = self._bound[cache] = _Bound(self._session, self.shape, cache)
        return bound.run(self._session, x, cos, sin, places, extent)


class _Bound:
    """Buffers and bindings of one cache."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: StepShape, cache: KVCache) -> None:
        rows, long, d = cache.rows, cache.max_length, shape.width
        self.x, self.y = torch.zeros(rows, 1, d), torch.zeros(rows, 1, d)
        self.places = torch.zeros(rows, dtype=torch.int32)
        self.extent = torch.zeros(1, dtype=torch.int32)
        self.angles = torch.arange(rows)[:, None].contiguous()
        half = d // shape.heads // 2
        # the operator wants as many rows of angles as there are places; the first N are each row's own
        self.cos, self.sin = torch.zeros(max(long, rows), half), torch.zeros(max(long, rows), half)
        self.pointers = cache.keys.data_ptr(), cache.values.data_ptr()
        self.io = session.io_binding()
        for name in ("x", "places", "extent", "angles", "cos", "sin"):
            self._bind(name, getattr(self, name), out=False)
        self._bind("y", self.y, out=True)
        for i in range(shape.layers):
            for part, tensor in (("keys", cache.keys[i]), ("values", cache.values[i])):
                self._bind(f"{part}.{i}", tensor, out=False)
                self._bind(f"new_{part}.{i}", tensor, out=True)

    def fits(self, cache: KVCache) -> bool:
        """Is the cache's memory still the one that is bound?"""
        return self.pointers == (cache.keys.data_ptr(), cache.values.data_ptr()) and len(self.x) == cache.rows

    def run(
        self, session: onnxruntime.InferenceSession, x: Tensor, cos: Tensor, sin: Tensor, places: Tensor, extent: int
    ) -> Tensor:
        """One step -> [N, 1, D], a tensor of its own."""
        rows = len(x)
        self.x.copy_(x)
        self.cos[:rows], self.sin[:rows] = cos, sin
        self.places.copy_(places)
        self.extent.fill_(extent)
        session.run_with_iobinding(self.io)
        return self.y.clone()

    def _bind(self, name: str, tensor: Tensor, *, out: bool) -> None:
        bind = self.io.bind_output if out else self.io.bind_input
        bind(name, "cpu", 0, _TYPES[tensor.dtype], list(tensor.shape), tensor.data_ptr())
