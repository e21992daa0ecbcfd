"""Early exit (layer skip): leave the stack where the model is sure enough, also with a KV cache, exactly.

The rule, measured as upstream measures it: after layer l (from zero) go on while l < N // 2; leave at the last layer
that may be used; else leave when the mean entropy (bits) and the mean varentropy (bits squared) over all valid
positions of the row's whole sequence are both at or below their thresholds. The distribution is the target's head on
the states before the final norm; for a model with one head for all, the raw states themselves.

With a cache the decision needs the whole sequence's measure and later, deeper steps need keys and values in layers that
earlier steps left out. Both follow from causality: what a layer makes of a token never changes afterwards. So the
cache keeps, for each layer, the sums of the measures of the tokens it has run, and each token's deepest state; a step
that needs a layer first brings the tokens that lack it up to date, all in one pass. The result is the uncached one's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .cache import KVCache

if TYPE_CHECKING:
    from .backbone import Backbone

ToLogits = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class EarlyExit:
    """When to leave the stack."""

    exit_layer: int
    """The last layer that may be used, from zero (upstream's own number is one less)."""
    entropy_threshold: float | None = 0.1
    """Bits; None (or a varentropy threshold of None): leave at `exit_layer` only, and measure nothing."""
    varentropy_threshold: float | None = 0.1
    """Bits squared."""

    def last_layer(self, layers: int) -> int:
        """The last layer that is run: at least half the stack, at most all of it."""
        return min(max(self.exit_layer, layers // 2), layers - 1)

    @property
    def measures(self) -> bool:
        """Can a row leave before the last layer?"""
        return self.entropy_threshold is not None and self.varentropy_threshold is not None


def entropy_and_varentropy(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Of each distribution, [..., V] -> two [...]: H = -sum p log2 p, and sum p (log2 p + H)^2."""
    log_p = torch.log_softmax(logits.float(), dim=-1) / math.log(2)
    p = torch.exp2(log_p)
    entropy = -(p * log_p).sum(-1)
    return entropy, (p * (log_p + entropy[..., None]) ** 2).sum(-1)


@dataclass
class ExitState:
    """What a cache keeps for early exit; see the module's text."""

    rule: EarlyExit
    states: Tensor
    """[N, max_T, D]: each token's state after the deepest layer that has run on it."""
    positions: Tensor
    """[N, max_T] long: position ids, for the rotary angles of tokens that catch up."""
    sums: Tensor
    """[layers, 2, N]: entropy and varentropy, summed over the tokens that the layer has run."""
    pending: list[int] = field(default_factory=list)
    """For each layer, how many of the newest tokens it has not run yet (the same for every row)."""

    @classmethod
    def start(cls, rule: EarlyExit, cache: KVCache, embeds: Tensor, layers: int) -> ExitState:
        """Room for a cache's rows."""
        shape = (cache.rows, cache.max_length)
        return cls(
            rule,
            embeds.new_zeros((*shape, embeds.shape[-1])),
            torch.zeros(shape, dtype=torch.long, device=embeds.device),
            torch.zeros((layers, 2, cache.rows), device=embeds.device),
            [0] * layers,
        )

    def select(self, rows: Tensor) -> None:
        """Keep the named rows [M] long."""
        self.states, self.positions = self.states[rows], self.positions[rows]
        self.sums = self.sums[:, :, rows]


class Decision:
    """Which rows have left, and the states they left with."""

    def __init__(self, rule: EarlyExit, rows: int, device: torch.device) -> None:
        self.rule = rule
        self.done = torch.zeros(rows, dtype=torch.bool, device=device)
        self.out: Tensor | None = None

    def judge(self, x: Tensor, means: Tensor) -> bool:
        """Let the rows leave whose `means` [2, N] allow it, with states `x` [N, T, D]; True once all have left."""
        entropy, varentropy = means
        sure = (entropy <= self.rule.entropy_threshold) & (varentropy <= self.rule.varentropy_threshold) & ~self.done
        self.out = x if self.out is None else torch.where(sure[:, None, None], x, self.out)
        self.done = self.done | sure
        return bool(self.done.all())  # the one question to the host that leaving the stack can't do without

    def finish(self, x: Tensor) -> Tensor:
        """The states of all rows, those still in the stack with `x`."""
        return x if self.out is None else torch.where(self.done[:, None, None], self.out, x)


def valid_rows(x: Tensor, lengths: Tensor | None) -> Tensor:
    """[N, T] bool: the places of a right-padded batch that hold tokens."""
    if lengths is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    return torch.arange(x.shape[1], device=x.device) < lengths[:, None]


def measure(x: Tensor, valid: Tensor, to_logits: ToLogits) -> Tensor:
    """Entropy and varentropy of states [N, T, D], summed over the valid places -> [2, N]."""
    return torch.stack([m.masked_fill(~valid, 0).sum(-1) for m in entropy_and_varentropy(to_logits(x))])


def run(
    backbone: Backbone,
    embeds: Tensor,
    positions: Tensor,
    rule: EarlyExit,
    to_logits: ToLogits,
    *,
    causal: bool,
    lengths: Tensor | None,
    cache: KVCache | None,
) -> Tensor:  # [N, T, D] -> [N, T, D], before the final norm
    """The stack with early exit: without a cache, or a cache's first pass, which runs all layers it may ever need."""
    attend = backbone.attend(embeds, positions, causal=causal, lengths=lengths, cache=cache)
    last, half = rule.last_layer(len(backbone.layers)), len(backbone.layers) // 2
    valid = valid_rows(embeds, lengths)
    decision = Decision(rule, len(embeds), embeds.device)
    state: ExitState | None = None
    if cache is not None:
        state = cache.exit = ExitState.start(rule, cache, embeds, len(backbone.layers))
    left, x = False, embeds
    for i in range(last + 1):
        x = backbone.layers[i](x, attend, i)
        if not rule.measures or i < half or i == last:
            continue
        sums = measure(x, valid, to_logits)
        if state is not None:
            state.sums[i] = sums
        left = left or decision.judge(x, sums / valid.sum(-1))
        if left and cache is None:
            break
    if state is not None:
        state.states[:, : x.shape[1]] = x
        state.positions[:, : x.shape[1]] = positions
    return decision.finish(x)


def step(
    backbone: Backbone,
    embeds: Tensor,
    positions: Tensor,
    rule: EarlyExit,
    to_logits: ToLogits,
    cache: KVCache,
) -> Tensor:  # [N, T, D] -> [N, T, D], before the final norm
    """The next tokens of a cache whose first pass was made by `run` with the same rule."""
    state = cache.exit
    if state is None or state.rule != rule:
        raise ValueError("a KV cache must be filled and used under one early-exit rule")
    n, count = embeds.shape[:2]
    last, half = rule.last_layer(len(backbone.layers)), len(backbone.layers) // 2
    rows = torch.arange(n, device=embeds.device)[:, None]
    end = cache.lengths[:, None] + count  # [N, 1]
    decision = Decision(rule, n, embeds.device)
    x, width, attend = embeds, -1, None
    places = end - count + torch.arange(count, device=embeds.device)
    state.positions[rows, places] = positions
    reached = last
    for i in range(last + 1):
        if (behind := state.pending[i] + count) != width:  # more tokens to bring up to date than the layer below had
            places = end - behind + torch.arange(behind, device=embeds.device)  # [N, behind]
            if behind > x.shape[1]:
                x = torch.cat((state.states[rows, places[:, : behind - x.shape[1]]], x), dim=1)
            ids = state.positions[rows, places]
            attend = backbone.attend(x, ids, causal=True, cache=cache, places=places, extent=cache.extent + count)
            width = behind
        x = backbone.layers[i](x, attend, i)
        if not rule.measures or i < half or i == last:
            continue
        state.sums[i] += measure(x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device), to_logits)
        if decision.judge(x[:, -count:], state.sums[i] / end[:, 0]):
            reached = i
            break
    state.states[rows, places] = x
    state.pending = [0 if i <= reached else p + count for i, p in enumerate(state.pending)]
    return decision.finish(x[:, -count:])
