"""The work of `logit-bias` and `suppress`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step

HIGHEST = 1e30
"""No logit gets larger than this, nor smaller than its negative, but for -inf."""


@dataclass
class BiasState:
    """What no step changes, where the logits are; the same in each row."""

    ids: Tensor
    """[N, K]."""
    values: Tensor
    """[N, K]."""


class BiasTransform:
    """One scatter. Ids that the logits lack are left alone."""

    def __init__(self, bias: Mapping[int, float]) -> None:
        self.bias = {each: value if value < -HIGHEST else min(value, HIGHEST) for each, value in bias.items()}

    def init(self, rows: int, ctx: StateContext) -> BiasState:
        """The ids and what is added to them."""
        ids = torch.tensor(list(self.bias), dtype=torch.long, device=ctx.device)
        values = torch.tensor(list(self.bias.values()), dtype=torch.float32, device=ctx.device)
        return BiasState(ids.repeat(rows, 1), values.repeat(rows, 1))

    def apply(self, logits: Tensor, step: Step, state: BiasState) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if not self.bias:
            return logits
        size = logits.shape[-1]
        added = torch.where(state.ids < size, state.values, 0.0)
        sums = logits.scatter_add(1, state.ids.clamp(max=size - 1), added)
        return torch.where(sums > float("-inf"), sums.clamp(-HIGHEST, HIGHEST), sums)

    def accept(self, tokens: Tensor, step: Step, state: BiasState) -> BiasState:
        """No state."""
        return state
