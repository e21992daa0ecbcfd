"""The work of `dry`: the matches are kept up to date, so that a step costs the same whatever repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import StateContext, Step
from vall_e_repeats import continuations, extend_matches, no_matches

HIGHEST = torch.finfo(torch.float32).max
_HIGHEST = torch.tensor(HIGHEST)
LONGEST = 2**31 - 1
"""No history is longer, nor an id larger; a parameter beyond it means the same as this."""


@dataclass
class DryState:
    """One row for each history."""

    matches: Tensor
    """[N, L], see `extend_matches`."""
    penalties: Tensor
    """[N, L + 1], the same in each row: the penalty of a match of each length there can be."""
    breakers: Tensor
    """[N, K], the same in each row; no step changes them."""


class DryTransform:
    """Takes the longest match before each token in one scatter, and looks up its penalty."""

    def __init__(
        self, multiplier: float, base: float, allowed: int, reach: int, longest: int, breakers: tuple[int, ...],
        sequences: tuple[tuple[int, ...], ...] = (),
    ) -> None:  # fmt: skip
        self.multiplier, self.allowed, self.reach = multiplier, min(allowed, LONGEST), min(reach, LONGEST)
        self.sequences = tuple(each for each in sequences if max(each) <= LONGEST)
        self.breakers = tuple(each for each in breakers if each <= LONGEST)
        most = int(math.log(HIGHEST) / math.log(base)) if base > 1.000001 else LONGEST
        self.growth = math.log(base) if most > 0 else 0.0
        limits = longest if longest > 0 else LONGEST, self.allowed + max(most, 1), LONGEST
        self.longest = min(limits)
        """Longer matches change nothing more."""

    def init(self, rows: int, ctx: StateContext) -> DryState:
        """Empty histories."""
        lengths = torch.arange(ctx.capacity + 1, device=ctx.device).clamp(max=self.longest)
        grown = ((lengths - self.allowed).to(torch.float32) * self.growth).exp() * self.multiplier
        penalties = grown.clamp(-HIGHEST, HIGHEST).masked_fill(lengths < max(1, self.allowed), 0.0)
        breakers = torch.tensor(self.breakers, dtype=torch.long, device=ctx.device)
        return DryState(no_matches(rows, ctx), penalties.repeat(rows, 1), breakers.repeat(rows, 1))

    def apply(self, logits: Tensor, step: Step, state: DryState) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if state.matches.shape[1] < 2 or self.multiplier == 0:
            return logits
        ids, lengths = continuations(state.matches, step, logits.shape[-1])
        if self.reach > 0:
            first = (step.lengths - self.reach).unsqueeze(1)
            inside = torch.arange(1, ids.shape[1] + 1, device=ids.device) - first
            lengths = torch.minimum(lengths, inside.clamp(min=0).to(lengths.dtype))
        if self.breakers:
            lengths = lengths.masked_fill(_any_of(step.history[:, 1:], state.breakers), 0)
        longest = torch.zeros(logits.shape, dtype=lengths.dtype, device=logits.device)
        longest.scatter_reduce_(1, ids, lengths, "amax")
        penalised = logits - state.penalties.gather(1, longest.long())
        lowest = torch.minimum(logits, -_HIGHEST)  # keeps -inf
        return torch.maximum(penalised, lowest) if self.multiplier > 0 else torch.minimum(penalised, _HIGHEST)

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: DryState) -> NDArray[np.float32]:
        """One row [V] -> [V]: only the matches that are long enough are looked at."""
        matches, ids = state.matches.numpy()[0, :-1], step.history.numpy()[0, 1:]
        places = (matches >= max(1, self.allowed)).nonzero()[0]
        if places.size == 0 or self.multiplier == 0:
            return logits
        ids, lengths = ids.take(places), matches.take(places)
        counts = (ids >= 0) & (ids < logits.size)
        if self.reach > 0:
            lengths = np.minimum(lengths, np.maximum(places + 1 + self.reach - step.lengths.tolist()[0], 0))
        if self.breakers:
            counts &= ~np.isin(ids, self.breakers)
        ids, lengths = ids[counts], lengths[counts]
        longest = np.zeros(logits.size, matches.dtype)
        np.maximum.at(longest, ids, lengths.astype(matches.dtype, copy=False))
        found, made = logits.take(ids), logits.copy()
        penalised = found - state.penalties.numpy()[0].take(longest.take(ids))
        lowest = np.minimum(found, np.float32(-HIGHEST))
        made[ids] = np.maximum(penalised, lowest) if self.multiplier > 0 else np.minimum(penalised, HIGHEST)
        return made

    def accept(self, tokens: Tensor, step: Step, state: DryState) -> DryState:
        """The matches after tokens [N]."""
        ends = _any_of(tokens, state.breakers) if self.breakers else None
        for sequence in self.sequences if step.history.shape[1] > 0 else ():
            complete = _completes(tokens, step, sequence)
            ends = complete if ends is None else ends | complete
        return DryState(extend_matches(state.matches, tokens, step, ends), state.penalties, state.breakers)


def _any_of(tokens: Tensor, ids: Tensor) -> Tensor:
    """Which of tokens [N] or [N, L] are among ids [N, K], row by row."""
    spread = ids if tokens.dim() == 1 else ids.unsqueeze(1)
    return (tokens.unsqueeze(-1) == spread).any(-1)


def _completes(tokens: Tensor, step: Step, sequence: tuple[int, ...]) -> Tensor:
    """Where tokens [N], which aren't in the histories yet, are the last of a sequence whose others stand there."""
    found = tokens == sequence[-1]
    for back, token in enumerate(reversed(sequence[:-1]), 1):
        place = step.lengths - back
        before = step.history.gather(1, place.clamp(min=0).unsqueeze(1)).squeeze(1)
        found = found & (before == token) & (place >= 0)
    return found
