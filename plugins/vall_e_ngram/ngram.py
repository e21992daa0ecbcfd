"""The work of `no-repeat-ngram`: a match of n - 1 tokens bans what followed it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step, recent
from vall_e_repeats import continuations, extend_matches, no_matches

NEVER = float("-inf")


@dataclass
class NgramState:
    """One row for each history."""

    matches: Tensor
    """[N, L], see `extend_matches`."""


class NoRepeatNgramTransform:
    """Marks the banned tokens in one scatter."""

    def __init__(self, n: int) -> None:
        self.n = min(n, 2**31 - 1)

    def init(self, rows: int, ctx: StateContext) -> NgramState:
        """Empty histories."""
        return NgramState(no_matches(rows, ctx))

    def apply(self, logits: Tensor, step: Step, state: NgramState) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.n == 1:
            ids, completes = recent(step, -1, logits.shape[-1])
        else:
            ids, lengths = continuations(state.matches, step, logits.shape[-1])
            completes = lengths >= self.n - 1
        if self.n == 0 or ids.shape[1] == 0:
            return logits
        banned = torch.zeros_like(logits).scatter_reduce(1, ids, completes.to(logits.dtype), "amax") > 0
        left = logits.masked_fill(banned, NEVER)
        return torch.where((left > NEVER).any(-1, keepdim=True), left, logits)

    def accept(self, tokens: Tensor, step: Step, state: NgramState) -> NgramState:
        """The matches after tokens [N]."""
        return NgramState(extend_matches(state.matches, tokens, step))
