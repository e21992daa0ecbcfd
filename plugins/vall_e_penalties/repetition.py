"""The work of `repetition-penalty`: the window is a ring, in which each step writes one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import StateContext, Step

LONGEST = 2**31 - 1


@dataclass
class RepetitionState:
    """The last W tokens of each row; the token at place p of the history lies at p modulo W."""

    ids: Tensor
    """[N, W]"""
    strengths: Tensor
    """[N, W]: the penalty, or 1 where there is no token yet, or one that isn't among the logits."""
    known: int
    """How many ids there are."""


class RepetitionPenaltyTransform:
    """Penalises every occurrence by itself and keeps the strongest for each token: in one scatter, order irrelevant."""

    def __init__(self, penalty: float, decay: float, window: int) -> None:
        self.penalty, self.decay, self.window = penalty, decay, window
        self.strongest = "amin" if penalty >= 1 else "amax"

    def init(self, rows: int, ctx: StateContext) -> RepetitionState:
        """No token yet."""
        width = ctx.capacity if self.window < 0 else min(self.window, ctx.capacity)
        ids = torch.zeros(rows, width, dtype=torch.long, device=ctx.device)
        return RepetitionState(ids, torch.ones(rows, width, device=ctx.device), ctx.vocab_size or LONGEST)

    def apply(self, logits: Tensor, step: Step, state: RepetitionState) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        strengths, width = state.strengths, state.ids.shape[1]
        if width == 0:
            return logits
        if self.decay != 0:
            places = torch.arange(width, device=logits.device)
            distance = torch.remainder(step.lengths.unsqueeze(1) - 1 - places, width) + 1
            strengths = 1.0 + (strengths - 1.0) * distance.to(strengths.dtype).pow(-self.decay)
        found = logits.gather(1, state.ids)
        stronger = torch.minimum if self.penalty >= 1 else torch.maximum
        changed = stronger(found / strengths, found * strengths)  # the sign rule
        return logits.scatter_reduce(1, state.ids, changed, self.strongest)

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: RepetitionState) -> NDArray[np.float32]:
        """One row [V] -> [V]."""
        ids, strengths = state.ids.numpy()[0], state.strengths.numpy()[0]
        if ids.size == 0:
            return logits
        if self.decay != 0:
            distance = (step.lengths.tolist()[0] - 1 - np.arange(ids.size)) % ids.size + 1
            strengths = 1 + (strengths - 1) * distance.astype(np.float32) ** np.float32(-self.decay)
        found, made = logits.take(ids), logits.copy()
        stronger = np.minimum if self.penalty >= 1 else np.maximum
        stronger.at(made, ids, stronger(found / strengths, found * strengths))
        return made

    def accept(self, tokens: Tensor, step: Step, state: RepetitionState) -> RepetitionState:
        """The window after tokens [N]."""
        width = state.ids.shape[1]
        if width == 0:
            return state
        if tokens.shape[0] == 1 and tokens.device.type == "cpu":
            return self._accepted_row(tokens.tolist()[0], step.lengths.tolist()[0] % width, state)
        at, token = (step.lengths % width).unsqueeze(1), tokens.unsqueeze(1)
        known = token.clamp(0, state.known - 1)
        strength = torch.where(known == token, self.penalty, 1.0)
        return RepetitionState(
            state.ids.scatter(1, at, known), state.strengths.scatter(1, at, strength), state.known
        )  # fmt: skip

    def _accepted_row(self, token: int, at: int, state: RepetitionState) -> RepetitionState:
        """The same for one row, which costs less on numpy's side."""
        ids, strengths = state.ids.numpy().copy(), state.strengths.numpy().copy()
        exists = 0 <= token < state.known
        ids[0, at] = min(max(token, 0), state.known - 1)
        strengths[0, at] = self.penalty if exists else 1.0
        return RepetitionState(torch.from_numpy(ids), torch.from_numpy(strengths), state.known)
