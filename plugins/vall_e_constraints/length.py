"""The work of `min-length`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step


class MinLengthTransform(StatelessTransform):
    """Touches one column: the stop token's."""

    def __init__(self, seconds: float) -> None:
        self.seconds = min(seconds, 1e6)

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        stop = step.stop_token
        if stop is None or not 0 <= stop < logits.shape[-1]:
            return logits
        frames = math.ceil(round(self.seconds * step.frame_rate, 6))
        column = torch.arange(logits.shape[-1], device=logits.device) == stop
        early = (step.lengths < frames).unsqueeze(1)
        return logits.masked_fill(early & column, float("-inf"))
