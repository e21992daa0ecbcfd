"""The work of `entropix`: five kinds of step, told apart row by row."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessSelector, Step, draw, take_maximum

NEVER = float("-inf")
LN2 = math.log(2)
HESITANT, BRANCHING, LOST, LOST_LEAST = 1.3, 1.2, 2.0, 2.0
"""Factors on the temperature, and the least temperature of a lost step."""
HOTTER, LOOSER = 0.3, 0.5
"""What a bit of entropy or varentropy adds to the temperature and takes from min-p, as shares."""
MIN_P_RANGE = (0.01, 0.5)
HOTTEST = 100.0


class Thresholds(NamedTuple):
    """In bits and bits²."""

    low_entropy: float
    middle_entropy: float
    high_entropy: float
    low_varentropy: float
    high_varentropy: float


class Plan(NamedTuple):
    """What each row [N] is to do: its temperature and min-p, whether it is sure, whether it draws candidates."""

    temperature: Tensor
    min_p: Tensor
    sure: Tensor
    several: Tensor


class EntropixSelector(StatelessSelector):
    """No state: a step's distribution says it all."""

    def __init__(
        self, limits: Thresholds, temperature: float, top_p: float, top_k: int, min_p: float, candidates: int
    ) -> None:
        self.limits, self.temperature = limits, temperature
        self.top_p, self.top_k, self.min_p, self.candidates = top_p, top_k, min_p, candidates

    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tempered and truncated [N, V]."""
        return self._adapted(logits, self._plan(logits), step.stop_token)

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        plan = self._plan(logits)
        adapted = self._adapted(logits, plan, step.stop_token)
        tokens = draw(adapted, step.uniform("select"))
        best = tokens.unsqueeze(1)
        for place in range(1, self.candidates):
            other = draw(adapted, step.uniform(f"candidate {place}")).unsqueeze(1)
            best = torch.where(adapted.gather(1, other) > adapted.gather(1, best), other, best)
        tokens = torch.where(plan.several, best.squeeze(1), tokens)
        return torch.where(plan.sure, take_maximum(logits), tokens)

    def details(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> dict[str, Tensor]:
        """What a trace shows, [N] each."""
        entropy, varentropy = measure(logits)
        return {"entropy": entropy, "varentropy": varentropy, "temperature": self._plan(logits).temperature}

    def _plan(self, logits: Tensor) -> Plan:
        limits, base = self.limits, self.temperature
        entropy, varentropy = measure(logits)
        steady, wild = varentropy < limits.low_varentropy, varentropy > limits.high_varentropy
        sure = (entropy < limits.low_entropy) & steady
        hesitant = (entropy > limits.middle_entropy) & steady & ~sure
        lost = (entropy > limits.high_entropy) & wild & ~hesitant & ~sure
        branching = wild & ~lost & ~hesitant & ~sure
        several = ~(sure | hesitant | lost | branching)
        bits = entropy + varentropy
        hot = (base * (1 + HOTTER * bits)).clamp(max=max(base, HOTTEST))
        hot = torch.where(hesitant, base * HESITANT, hot)
        hot = torch.where(branching, base * BRANCHING, hot)
        hot = torch.where(lost, max(base * LOST, LOST_LEAST), hot)
        looser = (self.min_p * (1 - LOOSER * bits)).clamp(*MIN_P_RANGE).clamp(max=self.min_p)
        return Plan(hot, torch.where(several, looser, self.min_p), sure, several)

    def _adapted(self, logits: Tensor, plan: Plan, stop: int | None) -> Tensor:
        """Min-p, top-k and top-p at each row's temperature; of a sure row the best token. And the stop token."""
        ordered, ids = (logits / plan.temperature.unsqueeze(1)).sort(dim=-1, descending=True, stable=True)
        p = torch.softmax(ordered, dim=-1)
        kept = p >= plan.min_p.unsqueeze(1) * p[:, :1]
        if self.top_p < 1:
            kept = kept & torch.nn.functional.pad(p.cumsum(-1)[:, :-1] < self.top_p, (1, 0), value=True)
        rank = torch.arange(logits.shape[-1], device=logits.device)
        if self.top_k > 0:
            kept = kept & (rank < min(self.top_k, len(rank)))
        kept = (kept & ~plan.sure.unsqueeze(1)) | (rank == 0)
        if stop is not None:
            kept = kept | (ids == stop)
        return torch.full_like(logits, NEVER).scatter(1, ids, torch.where(kept, ordered, NEVER))


def measure(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Entropy in bits and varentropy in bits² [N] of logits [N, V]; 0 for a row without any token left."""
    logprobs = torch.log_softmax(logits, dim=-1)
    live = logprobs > NEVER
    p = torch.where(live, logprobs.exp(), 0.0)
    surprise = torch.where(live, logprobs / -LN2, 0.0)
    entropy = (p * surprise).sum(-1)
    return entropy, (p * (surprise - entropy.unsqueeze(1)) ** 2).sum(-1)
