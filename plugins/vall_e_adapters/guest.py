"""A chain that works in somebody else's engine, which chooses the tokens and moves the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vall_e_authoring import SamplerLike, as_samplers
from vall_e_core import BuildContext, UsageError
from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import ChainPlan, ChainState, compile_chain


def plan_guest(samplers: SamplerLike | Sequence[SamplerLike], host: str) -> ChainPlan:
    """The plan of a chain for another engine. Raises UsageError where that can't run it."""
    plan = compile_chain(as_samplers(samplers), "ar", available=())
    if plan.search is not None:
        raise UsageError(f"{plan.search.name} can't work in {host}", cause=f"{host} searches by itself")
    return plan


@dataclass(frozen=True)
class Rows:
    """Everything that changes: some rows, their histories and their state."""

    step: Step
    state: ChainState

    def select(self, rows: Tensor) -> Rows:
        """Rows [M] of these. The noise stays with the place where a row stood."""
        return Rows(self.step.select(rows), self.state.select(rows))

    def join(self, others: Rows) -> Rows:
        """These rows, then the others."""
        own, added = (replace(each.state, logits=None) for each in (self, others))
        return Rows(states.join(self.step, others.step), states.join(own, added))


class Guest:
    """Applies a chain to rows that `start` made and `feed` keeps up to date. Holds nothing that changes.

    Without a selector it filters, and leaves the draw to its host. With one it chooses the token itself, with its own
    noise: every other token is removed.
    """

    def __init__(
        self, plan: ChainPlan, *, device: torch.device, vocab_size: int, longest: int, seed: int,
        stop_token: int | None, frame_rate: float,
    ) -> None:  # fmt: skip
        self.decides = plan.selector is not None
        self.longest, self.seed, self.stop_token, self.frame_rate = longest, seed, stop_token, frame_rate
        self.device, self.vocab_size = device, vocab_size
        self.chain = plan.build(
            BuildContext(
                device=str(device), vocab_size=vocab_size, stop_token=stop_token, frame_rate=frame_rate, stage="ar"
            )
        )

    def start(self, histories: Sequence[Tensor], identities: Sequence[int | str]) -> Rows:
        """New rows that have their tokens [P] behind them; identities key their noise. Raises UsageError."""
        self.check_length(max((each.shape[0] for each in histories), default=0))
        step = Step.start(
            identities, seed=self.seed, capacity=self.longest, stop_token=self.stop_token, prefixes=histories,
            frame_rate=self.frame_rate, device=self.device,
        )  # fmt: skip
        step.index = torch.zeros_like(step.lengths)
        return Rows(step, self.chain.init(len(identities), step, vocab_size=self.vocab_size, device=self.device))

    def check_length(self, length: int) -> None:
        """Raises UsageError where a history wouldn't fit."""
        if length > self.longest:
            raise UsageError(f"a sequence of {length} tokens, but room for {self.longest}", try_="a higher `longest`")

    def feed(self, rows: Rows, tokens: Tensor, fed: Tensor | None = None) -> Rows:
        """The rows after tokens [N] were chosen, in those rows [N] alone that were fed, if that is given. The rows
        given are used up: their histories are written in place."""
        step, state = rows.step, self.chain.accept(tokens, rows.step, rows.state)
        if fed is None:
            step.append(tokens)
        else:
            state = states.merge(fed, state, rows.state)
            at = step.lengths.clamp(max=self.longest - 1).unsqueeze(1)
            kept = torch.where(fed, tokens, step.history.gather(1, at).squeeze(1))
            step.history.scatter_(1, at, kept.unsqueeze(1))
            step.lengths.add_(fed)
            step.index.add_(fed)
        return Rows(step, replace(state, logits=None))

    def process(self, rows: Rows, logits: Tensor) -> tuple[Tensor, Rows]:
        """Logits [N, V] of any float type -> (what the chain leaves of them, of the same type, and the rows after)."""
        state = replace(rows.state)
        left = self.chain.process(logits, rows.step, state)
        if self.decides:
            tokens = self.chain.select(left, rows.step, state).unsqueeze(1)
            left = torch.full_like(left, float("-inf")).scatter_(1, tokens, left.gather(1, tokens))
        return left.to(logits.dtype), Rows(rows.step, state)
