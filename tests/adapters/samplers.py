"""A transform whose state and noise show whether an adapter keeps rows apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core import BuildContext, Sampler, param
from vall_e_core.sampling import StateContext, Step


class CountingTransform:
    """State [N, V]: how often each token was accepted, and a fraction that depends on the order."""

    def __init__(self, strength: float, noise: float) -> None:
        self.strength, self.noise = strength, noise

    def init(self, rows: int, ctx: StateContext) -> Tensor:
        return torch.zeros(rows, ctx.vocab_size, device=ctx.device)

    def apply(self, logits: Tensor, step: Step, state: Tensor) -> Tensor:
        drawn = self.noise * step.uniform("counting").unsqueeze(1)
        return logits - self.strength * state - drawn * torch.linspace(0, 1, logits.shape[1], device=logits.device)

    def accept(self, tokens: Tensor, step: Step, state: Tensor) -> Tensor:
        return (state * 0.9).scatter_add(1, tokens.unsqueeze(1), torch.ones_like(state[:, :1]))


@dataclass(frozen=True)
class Counting(Sampler):
    """Penalises what was chosen before."""

    name = "counting"
    place = "penalties"
    removes = False

    strength: float = param(1.0, primary=True, help="how strongly")
    noise: float = param(0.0, help="how much noise on top")

    def build(self, ctx: BuildContext) -> CountingTransform:
        return CountingTransform(self.strength, self.noise)
