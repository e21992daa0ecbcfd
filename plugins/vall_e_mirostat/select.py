"""The work of `mirostat`, for any number of rows at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step, draw

NEVER = float("-inf")
LN2 = math.log(2)
MOST = 150.0
"""The largest surprise in bits: more than any float32 probability's. It stands for that of an impossible token."""
LEAST = 1e-6
"""Below it, Zipf's exponent and its distance from 1 are replaced by their limits."""


@dataclass
class MirostatState:
    """The largest surprise [N] of each row, in bits."""

    mu: Tensor


class Cut(NamedTuple):
    """The tokens kept [N, V], how many [N], and the estimated exponent [N]."""

    kept: Tensor
    k: Tensor
    s_hat: Tensor


class MirostatSelector:
    """Both versions, in both variants."""

    def __init__(self, tau: float, eta: float, version: int, paper: bool, ratios: int, size: int | None) -> None:
        self.tau, self.eta, self.version, self.paper, self.ratios, self.size = tau, eta, version, paper, ratios, size

    def init(self, rows: int, ctx: StateContext) -> MirostatState:
        """Every row begins at twice the target."""
        return MirostatState(torch.full((rows,), 2 * self.tau, device=ctx.device))

    def support(self, logits: Tensor, step: Step, state: MirostatState) -> Tensor:
        """Logits [N, V] -> [N, V] without what the row's largest surprise rules out."""
        kept = self._cut(logits, state.mu).kept
        stop = step.stop_token
        if stop is not None and 0 <= stop < logits.shape[-1]:
            kept[:, stop] = True
        return torch.where(kept, logits, NEVER)

    def select(self, logits: Tensor, step: Step, state: MirostatState) -> Tensor:
        """Logits [N, V] -> tokens [N], drawn from the support."""
        return draw(self.support(logits, step, state), step.uniform("select"))

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: MirostatState) -> MirostatState:
        """μ ← μ - eta · (surprise - tau)."""
        return MirostatState(self._after(state.mu, self._surprise(logits, tokens, state.mu)))

    def details(self, logits: Tensor, tokens: Tensor, step: Step, state: MirostatState) -> dict[str, Tensor]:
        """What a trace shows, [N] each."""
        cut, surprise = self._cut(logits, state.mu), self._surprise(logits, tokens, state.mu)
        found = {"k": cut.k, "surprise": surprise, "mu_before": state.mu, "mu_after": self._after(state.mu, surprise)}
        return {**found, "s_hat": cut.s_hat} if self.version == 1 else found

    def _after(self, mu: Tensor, surprise: Tensor) -> Tensor:
        return mu - self.eta * (surprise - self.tau)

    def _surprise(self, logits: Tensor, tokens: Tensor, mu: Tensor) -> Tensor:
        """Of tokens [N], in bits; a row without any token left is as surprising as wished."""
        logprobs = torch.log_softmax(logits, dim=-1)
        found = logprobs.gather(1, tokens.unsqueeze(1)).squeeze(1)
        if not self.paper or self.version == 2:
            found = found - torch.where(self._cut(logits, mu).kept, logprobs, NEVER).logsumexp(-1)
        bits = (found / -LN2).clamp(0.0, MOST)
        return torch.where(bits.isnan(), self.tau, bits)

    def _cut(self, logits: Tensor, mu: Tensor) -> Cut:
        return self._by_exponent(logits, mu) if self.version == 1 else self._by_surprise(logits, mu)

    def _by_exponent(self, logits: Tensor, mu: Tensor) -> Cut:
        """Version 1: the k most probable tokens, the lowest ids first among equals."""
        size = logits.shape[-1]
        ordered = logits.sort(dim=-1, descending=True).values
        s_hat = _exponent(ordered[:, : self.ratios])
        wished = _count(s_hat, mu, size if self.size is None else self.size, size)
        k = torch.round(wished) + 1 if self.paper else torch.floor(wished)
        live = (logits > NEVER).sum(-1)
        k = torch.minimum(k.long().clamp(min=1), live.clamp(min=1))
        last = ordered.gather(1, k.unsqueeze(1) - 1)
        above, equal = logits > last, logits == last
        places = k.unsqueeze(1) - above.sum(-1, keepdim=True)
        return Cut(above | (equal & (equal.cumsum(-1) <= places)), k, s_hat)

    def _by_surprise(self, logits: Tensor, mu: Tensor) -> Cut:
        """Version 2: the tokens whose surprise is at most μ, and the most probable one in any case."""
        bits = torch.log_softmax(logits, dim=-1) / -LN2
        kept = (bits <= mu.unsqueeze(1)).scatter(1, logits.argmax(-1, keepdim=True), True)
        return Cut(kept, kept.sum(-1), torch.zeros_like(mu))


def _exponent(ordered: Tensor) -> Tensor:
    """ŝ [N] of logits in descending order [N, M]. Ratios with a removed token don't count; without any, ŝ is 0."""
    places = torch.arange(1, ordered.shape[1], device=ordered.device, dtype=ordered.dtype)
    t = torch.log1p(1 / places)
    known = ordered[:, 1:] > NEVER
    b = torch.where(known, ordered[:, :-1] - ordered[:, 1:], 0.0)
    return (t * b).sum(-1) / torch.where(known, t * t, 0.0).sum(-1).clamp(min=LEAST)


def _count(s_hat: Tensor, mu: Tensor, size: int, most: int) -> Tensor:
    """k = (ε·2^μ / (1 - N^-ε))^(1/ŝ) [N] by way of its logarithm, from 0 to `most`.

    Where ε is 0, ε / (1 - N^-ε) is its limit 1 / ln N. Where ŝ is 0 (all tokens alike), k is 0 or everything.
    """
    log_size = math.log(max(2, size))
    epsilon = s_hat - 1
    flat = epsilon.abs() < LEAST
    safe = torch.where(flat, 1.0, epsilon)
    slope = torch.where(flat, 1 / log_size, safe / -torch.expm1(-safe * log_size))
    log_count = (slope.log() + mu * LN2) / s_hat.clamp(min=LEAST)
    return log_count.clamp(max=math.log(most) + 1).exp().clamp(max=float(most))
