"""The work of `adaptive-p`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step, draw

NEVER = float("-inf")
PEAK, SHARPNESS, WIDTH = 5.0, 10.0, 0.3
"""llama.cpp's constants: the logit at the target, how it falls, and over what distance."""


@dataclass
class AdaptiveState:
    """The mean [N] of the probabilities of the tokens accepted."""

    mean: Tensor


class AdaptiveSelector:
    """A draw from the adapted distribution."""

    def __init__(self, target: float, decay: float) -> None:
        self.target, self.decay = target, decay

    def init(self, rows: int, ctx: StateContext) -> AdaptiveState:
        """As if every token so far had hit the target."""
        return AdaptiveState(torch.full((rows,), self.target, device=ctx.device))

    def support(self, logits: Tensor, step: Step, state: AdaptiveState) -> Tensor:
        """Logits [N, V] -> the adapted logits [N, V]; removed tokens stay removed."""
        distance = (torch.softmax(logits, dim=-1) - self._aim(state).unsqueeze(1)).abs() / WIDTH
        adapted = torch.where(logits > NEVER, PEAK - SHARPNESS * distance * distance / (1 + distance), NEVER)
        stop = step.stop_token
        if stop is None or not 0 <= stop < logits.shape[-1]:
            return adapted
        return _with_odds(adapted, logits, stop)

    def select(self, logits: Tensor, step: Step, state: AdaptiveState) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        return draw(self.support(logits, step, state), step.uniform("select"))

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: AdaptiveState) -> AdaptiveState:
        """The tokens' own probabilities, before adapting, join the mean."""
        return AdaptiveState(self.decay * state.mean + (1 - self.decay) * self._own(logits, tokens, state))

    def details(self, logits: Tensor, tokens: Tensor, step: Step, state: AdaptiveState) -> dict[str, Tensor]:
        """What a trace shows, [N] each."""
        return {"target_now": self._aim(state), "p_original": self._own(logits, tokens, state)}

    def _aim(self, state: AdaptiveState) -> Tensor:
        return (2 * self.target - state.mean).clamp(0.0, 1.0)

    def _own(self, logits: Tensor, tokens: Tensor, state: AdaptiveState) -> Tensor:
        """Probabilities [N]; of a row without any token left, its mean: it tells nothing."""
        found = torch.softmax(logits, dim=-1).gather(1, tokens.unsqueeze(1)).squeeze(1)
        return torch.where(found.isnan(), state.mean, found)


def _with_odds(adapted: Tensor, logits: Tensor, stop: int) -> Tensor:
    """Give the stop token the odds that it had against all others. Writes to `adapted` [N, V]."""
    column = torch.full((1,), stop, device=logits.device)
    rest = logits.index_fill(1, column, NEVER).logsumexp(-1)
    adapted_rest = adapted.index_fill(1, column, NEVER).logsumexp(-1)
    own = logits[:, stop]
    alone = rest == NEVER  # nothing else is left: any finite logit will do
    adapted[:, stop] = torch.where(alone, own, own - rest + adapted_rest)
    return adapted
