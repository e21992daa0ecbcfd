"""The work of `xtc`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step

NEVER = float("-inf")


@dataclass
class XtcState:
    """What no step changes, where the logits are."""

    protected: Tensor
    """[N, K], the same in each row."""


class XtcTransform:
    """One draw a row and step, taken from the step's own noise whether it is needed or not."""

    def __init__(self, probability: float, threshold: float, protect: tuple[int, ...]) -> None:
        self.probability, self.threshold = probability, threshold
        self.protect = tuple(each for each in protect if each < 2**31)

    def init(self, rows: int, ctx: StateContext) -> XtcState | None:
        """The protected ids, if any."""
        if not self.protect:
            return None
        return XtcState(torch.tensor(self.protect, dtype=torch.long, device=ctx.device).repeat(rows, 1))

    def apply(self, logits: Tensor, step: Step, state: XtcState | None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        if self.probability <= 0:
            return logits
        size = logits.shape[-1]
        likely = torch.where(logits > NEVER, torch.softmax(logits, dim=-1), -1.0)
        if state is not None:
            known = state.protected.clamp(max=size - 1)
            held = torch.where(state.protected < size, -1.0, float("inf"))
            likely = likely.scatter_reduce(1, known, held, "amin")
        if step.stop_token is not None and 0 <= step.stop_token < size:
            likely[:, step.stop_token] = -1.0
        candidates = likely >= self.threshold
        least = torch.where(candidates, logits, float("inf")).argmin(dim=-1, keepdim=True)
        acts = (candidates.sum(-1) > 1) & (step.uniform("xtc") < self.probability)
        removed = (candidates & acts.unsqueeze(1)).scatter(1, least, False)
        return logits.masked_fill(removed, NEVER)

    def accept(self, tokens: Tensor, step: Step, state: XtcState | None) -> XtcState | None:
        """No state."""
        return state
