"""Whole passes over a response, of a NAR level or of demasking, captured by shape and kept from batch to batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vall_e_lm import Attend, Backbone, KVCache

if TYPE_CHECKING:
    from .recorder import GraphRecorder, GraphRecording

MOST_ROWS = 4096
"""Positions of a batch, padding included. A larger pass is expected to keep a GPU busy for longer than its kernels take
to call."""
MOST_SHAPES = 16
"""Shapes whose graphs are kept; of more, the one goes that wasn't used for longest."""

Layers = Callable[[Tensor, Attend], Tensor]


class CapturedBackbone(Backbone):
    """A backbone that repeats passes of a shape that it has seen: those whose length was rounded up to that end.

    Whatever goes through a KV cache, grows token by token without one, or needs gradients is left to the layers."""

    def __init__(self, backbone: Backbone, recorder: GraphRecorder) -> None:
        nn.Module.__init__(self)
        self.layers, self.norm, self.head_width = backbone.layers, backbone.norm, backbone.head_width
        self._passes = Passes(recorder)

    def forward(self, embeds: Tensor, attend: Attend) -> Tensor:  # [N, T, D] -> [N, T, D]
        """All layers and the final norm."""
        rows, length, _ = embeds.shape
        rounded = length % KVCache.BUCKETS.get(embeds.device.type, 1) == 0
        if attend.cache is None and rounded and rows * length <= MOST_ROWS and not torch.is_grad_enabled():
            return self._passes.run(super().forward, embeds, attend)
        out: Tensor = super().forward(embeds, attend)
        return out


class Passes:
    """What was captured of one backbone. One graph at a time is run, so they share their memory."""

    def __init__(self, recorder: GraphRecorder) -> None:
        self._recorder, self._pool = recorder, recorder.graphs.pool()
        self._kept: dict[object, _Pass] = {}
        """By shape; the one that was used last comes last."""
        self._turn = Lock()

    def run(self, layers: Layers, embeds: Tensor, attend: Attend) -> Tensor:
        """`layers(embeds, attend)`, or what was captured of it -> [N, T, D], a tensor of its own."""
        mask = attend.mask
        shape = embeds.shape, embeds.dtype, attend.causal, None if mask is None else mask.shape
        with self._turn:
            found = self._kept.pop(shape, None)
            if found is None:
                found = _Pass(self._recorder.start(self._pool), embeds, attend)
            try:
                made = found(layers, embeds, attend)
            except torch.cuda.OutOfMemoryError:
                self._kept.clear()  # what they hold may be what is missing
                raise
            self._kept[shape] = found
            if len(self._kept) > MOST_SHAPES:
                del self._kept[next(iter(self._kept))]
            return made


class _Pass:
    """A pass of one shape, on memory that stays."""

    def __init__(self, recording: GraphRecording, embeds: Tensor, attend: Attend) -> None:
        self._recording = recording
        with torch.inference_mode(False):  # so that it may be written to in any mode
            self._embeds, self._made = torch.empty_like(embeds), torch.empty_like(embeds)
            cos, sin = torch.empty_like(attend.rotary.cos), torch.empty_like(attend.rotary.sin)
            mask = None if attend.mask is None else torch.empty_like(attend.mask)
        self._attend = replace(attend, rotary=replace(attend.rotary, cos=cos, sin=sin), mask=mask)

    def __call__(self, layers: Layers, embeds: Tensor, attend: Attend) -> Tensor:
        """The same, of these numbers."""
        mine = self._attend
        self._embeds.copy_(embeds)
        mine.rotary.cos.copy_(attend.rotary.cos)
        mine.rotary.sin.copy_(attend.rotary.sin)
        if mine.mask is not None and attend.mask is not None:
            mine.mask.copy_(attend.mask)
        self._recording.run(0, lambda: self._write(layers))
        return self._made.clone()

    def _write(self, layers: Layers) -> None:
        self._made.copy_(layers(self._embeds, self._attend))
