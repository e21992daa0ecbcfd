"""The work of `ras`."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessSelector, Step, draw, recent

NEVER = float("-inf")
_ROUNDING = 1e-9
"""window · threshold is a product of floats: 0.3 · 10 must ask for three occurrences, not for four."""


class Nucleus(NamedTuple):
    """Logits [N, V] in descending order (removed outside of the nucleus), their ids [N, V], how many were kept [N]."""

    logits: Tensor
    ids: Tensor
    size: Tensor


class RepetitionAwareSelector(StatelessSelector):
    """Two draws; the second counts where the first would repeat.

    Where filters left nothing to draw instead but the stop token, the first stands: that nothing else is left is no
    reason to stop.
    """

    def __init__(self, window: int, threshold: float, top_p: float, top_k: int, *, mask: bool) -> None:
        self.window, self.top_p, self.top_k, self.mask = window, top_p, top_k, mask
        self.needed = max(1, math.ceil(window * threshold - _ROUNDING))
        """Occurrences in the window from which a token counts as repeated."""

    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> the logarithm [N, V] of each token's probability under both draws together."""
        nucleus = self._nucleus(logits, step.stop_token)
        first = torch.softmax(nucleus.logits, dim=-1)
        first = torch.zeros_like(first).scatter(1, nucleus.ids, first)
        again = first * self._repeated(step, logits.shape[-1])  # the chance that a second draw replaces this token
        least = torch.finfo(first.dtype).tiny
        whole = torch.softmax(logits, dim=-1)
        if self.mask:
            others = 1 - whole
            lone = (others <= 0) | ~self._leaves_another(logits, step.stop_token)  # nothing else can be drawn
            shares = torch.where(lone, 0.0, again / others.clamp(min=least))
            law = first - torch.where(lone, 0.0, again) + whole * (shares.sum(-1, keepdim=True) - shares).clamp(min=0)
        else:
            law = first - again + whole * again.sum(-1, keepdim=True)
        possible = law > 0
        if step.stop_token is not None:
            possible = possible | (torch.arange(law.shape[-1], device=law.device) == step.stop_token)
        return torch.where((logits > NEVER) & possible, law.clamp(min=least).log(), NEVER)

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        return self._choose(logits, step)[0]

    def details(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> dict[str, Tensor]:
        """What a trace shows, [N] each."""
        return {
            "nucleus_size": self._nucleus(logits, step.stop_token).size, "resampled": self._choose(logits, step)[1],
        }  # fmt: skip

    def _choose(self, logits: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """The tokens [N], and whether the second draw gave them [N]."""
        nucleus = self._nucleus(logits, step.stop_token)
        first = nucleus.ids.gather(1, draw(nucleus.logits, step.uniform("select")).unsqueeze(1))
        repeated = self._repeated(step, logits.shape[-1]).gather(1, first).squeeze(1)
        rest = logits.scatter(1, first, NEVER) if self.mask else logits
        second = draw(rest, step.uniform("resample"))
        repeated = repeated & (_without(rest, step.stop_token).amax(-1) > NEVER)
        return torch.where(repeated, second, first.squeeze(1)), repeated

    def _nucleus(self, logits: Tensor, stop: int | None) -> Nucleus:
        """The shortest prefix of the sorted tokens that reaches top_p, at most top_k of them, and the stop token."""
        ordered, ids = logits.sort(dim=-1, descending=True, stable=True)
        reached = torch.softmax(ordered, dim=-1).cumsum(-1)
        kept = torch.nn.functional.pad(reached[:, :-1] < self.top_p, (1, 0), value=True)
        if self.top_p >= 1:
            kept = torch.ones_like(kept)
        if self.top_k > 0:
            kept[:, self.top_k :] = False
        size = kept.sum(-1)
        if stop is not None:
            kept = kept | (ids == stop)
        return Nucleus(torch.where(kept, ordered, NEVER), ids, size)

    @staticmethod
    def _leaves_another(logits: Tensor, stop: int | None) -> Tensor:
        """Whether a token other than the stop token is left [N, V] once this one is masked."""
        live = _without(logits, stop) > NEVER
        return live.sum(-1, keepdim=True) > live.long()

    def _repeated(self, step: Step, size: int) -> Tensor:
        """Which tokens [N, V] occur too often in the window."""
        ids, valid = recent(step, self.window, size)
        counts = torch.zeros(ids.shape[0], size, dtype=torch.long, device=ids.device)
        return counts.scatter_add(1, ids, valid.long()) >= self.needed


def _without(logits: Tensor, stop: int | None) -> Tensor:
    """Logits [N, V] in which the stop token is removed: a second draw must find another one to be made at all."""
    if stop is None or not 0 <= stop < logits.shape[-1]:
        return logits
    return logits.index_fill(1, torch.full((1,), stop, device=logits.device), NEVER)
