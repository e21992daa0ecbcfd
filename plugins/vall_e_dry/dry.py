"""The work of `dry`: the matches are kept up to date, so that a step costs the same whatever repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vall_e_core import StateContext, Step, continuations, extend_matches, no_matches

HIGHEST = torch.finfo(torch.float32).max
LONGEST = 2**31 - 1
"""No history is longer, nor an id larger; a parameter beyond it means the same as this."""


@dataclass
class DryState:
    """One row for each history."""

    matches: Tensor
    """[N, L], see `extend_matches`."""
    breakers: Tensor
    """[N, K], the same in each row; no step changes them."""


class DryTransform:
    """Takes the longest match before each token in one scatter."""

    def __init__(
        self, multiplier: float, base: float, allowed: int, reach: int, longest: int, breakers: tuple[int, ...]
    ) -> None:
        self.multiplier, self.allowed, self.reach = multiplier, min(allowed, LONGEST), min(reach, LONGEST)
        self.breakers = tuple(each for each in breakers if each <= LONGEST)
        most = int(math.log(HIGHEST) / math.log(base)) if base > 1.000001 else LONGEST
        self.growth = math.log(base) if most > 0 else 0.0
        limits = longest if longest > 0 else LONGEST, self.allowed + max(most, 1), LONGEST
        self.longest = min(limits)
        """Longer matches change nothing more."""

    def init(self, rows: int, ctx: StateContext) -> DryState:
        """Empty histories."""
        breakers = torch.tensor(self.breakers, dtype=torch.long, device=ctx.device)
        return DryState(no_matches(rows, ctx), breakers.repeat(rows, 1))

    def apply(self, logits: Tensor, step: Step, state: DryState) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        ids, lengths = continuations(state.matches, step, logits.shape[-1])
        if ids.shape[1] == 0 or self.multiplier == 0:
            return logits
        if self.reach > 0:
            first = (step.lengths - self.reach).unsqueeze(1)
            inside = torch.arange(1, ids.shape[1] + 1, device=ids.device) - first
            lengths = torch.minimum(lengths, inside)
        lengths = lengths.clamp(max=self.longest)
        if self.breakers:
            lengths = lengths.masked_fill(_any_of(step.history[:, 1:], state.breakers), 0)
        length = torch.zeros_like(logits).scatter_reduce_(1, ids, lengths.to(logits.dtype), "amax")
        penalised = (length - (max(1, self.allowed) - 1)).clamp_(0, 1)
        grown = length.sub_(self.allowed).mul_(self.growth).exp_()
        penalty = grown.mul_(self.multiplier).clamp_(-HIGHEST, HIGHEST).mul_(penalised)
        lowest = logits.clamp(max=-HIGHEST)  # keeps -inf
        return torch.maximum(logits - penalty, lowest).clamp_(max=HIGHEST)

    def accept(self, tokens: Tensor, step: Step, state: DryState) -> DryState:
        """The matches after tokens [N]."""
        ends = _any_of(tokens, state.breakers) if self.breakers else None
        return replace(state, matches=extend_matches(state.matches, tokens, step, ends))


def _any_of(tokens: Tensor, ids: Tensor) -> Tensor:
    """Which of tokens [N] or [N, L] are among ids [N, K], row by row."""
    spread = ids if tokens.dim() == 1 else ids.unsqueeze(1)
    return (tokens.unsqueeze(-1) == spread).any(-1)
