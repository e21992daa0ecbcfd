"""The chain at work: transforms in order, one selector, at most one search."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..errors import PluginError, UsageError
from ..kinds.sampler import DRAW
from . import state as states
from .candidates import Candidates
from .chain_state import ChainState
from .guard import Maker
from .members import Members, dense
from .protection import clean, settle, sound
from .protocols import Choice, Detailed, Search, Selector, StateContext, StatelessSelector, Trace
from .row_path import Row, RowPath
from .stage import Stage
from .step import Step

PROTECTION = "protection"
"""What a trace calls the last stage of all: rows that nothing could be drawn from, or nothing but the stop token."""


class Chain:
    """Applies transforms, selects, remembers. Made by `ChainPlan.build`; holds nothing that changes.

    A step of the engine:

        tokens = chain.choose(logits, step, state)
        state = chain.accept(tokens, step, state)
        step.append(tokens)

    `choose` is `process` and `select` in one, for engines that don't look at what lies between.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        selector: Selector | None = None,
        search: Search | None = None,
        *,
        device: str | torch.device = "cpu",
        vocab_size: int = 0,
        stage: str = "ar",
        trace: Trace | None = None,
        needs: frozenset[str] = frozenset(),
        compact_selector: bool = False,
        waits: bool = False,
        makers: tuple[Maker, Maker] | None = None,
    ) -> None:
        self.stages = tuple(stages)
        self.selector: Selector = StatelessSelector() if selector is None else selector
        self.compact_selector = selector is None or compact_selector
        """Whether the selector sees nothing but what is left, and remembers nothing."""
        if makers is None:
            ours = Maker(DRAW, foreign=False)
            makers = (ours if selector is None else Maker(type(selector).__name__), Maker(type(search).__name__))
        self._members = Members(self.stages, self.selector, search, makers, self.compact_selector)
        self._row = RowPath(
            self.stages, self._members.narrowing, self.selector, self.compact_selector, self._members.chooses
        )
        self._even = False
        self.search = search
        self.trace = trace
        self.needs = needs
        """What steps must carry beside the logits (see `Sampler.needs`)."""
        self.waits = waits
        """Whether a member may wait for the device (see `Sampler.waits`)."""
        self._context = StateContext(torch.device(device), vocab_size, 0, stage)

    @property
    def width(self) -> int:
        """Rows of each utterance."""
        return 1 if self.search is None else self.search.width

    def watched(self, trace: Trace | None) -> Chain:
        """The same chain under the eyes of a trace; None takes it away."""
        made = copy(self)
        made.trace = trace
        return made

    def evenly(self) -> Chain:
        """The same chain, which goes through a single row as through several, so that rounding is the same."""
        made = copy(self)
        made._even = True
        return made

    def init(
        self,
        rows: int,
        step: Step | None = None,
        *,
        vocab_size: int | None = None,
        device: torch.device | str | None = None,
    ) -> ChainState:
        """Fresh state of N rows. With `step`, capacity, device and stop token are its own, and tokens that its
        histories already hold (a prefix) are accepted one by one."""
        context = self._context
        if vocab_size is not None:
            context = replace(context, vocab_size=vocab_size)
        if device is not None:
            context = replace(context, device=torch.device(device))
        if step is not None:
            context = replace(
                context, device=step.history.device, capacity=step.history.shape[1], stage=step.stage,
                stop_token=step.stop_token, frame_rate=step.frame_rate,
            )  # fmt: skip
        count = torch.zeros(rows, dtype=torch.long, device=context.device)
        *stages, selector, search = self._members.init(rows, context)
        fresh = ChainState(stages, selector, search, count, count.clone(), count.clone())
        if step is not None and any(each is not None for each in fresh.stages):
            fresh.stages = self._replayed(step, fresh.stages)
        return fresh

    def _replayed(self, step: Step, fresh: list[Any]) -> list[Any]:
        """The transforms' states after the tokens in `step`'s histories; waits for the device, once."""
        longest = int(step.lengths.max()) if step.lengths.numel() > 0 else 0
        for position in range(longest):
            past = replace(step, lengths=step.lengths.clamp(max=position))
            tokens = step.history[:, position]
            after = [stage.transform.accept(tokens, past, each) for stage, each in zip(self.stages, fresh, strict=True)]
            fresh = states.merge(step.lengths > position, after, fresh)
        return fresh

    def process(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """Logits [N, V] (any float type, NaN and ±inf allowed) -> [N, V] float32 that every row can be drawn from.

        No stage takes the stop token away, nor leaves only it, unless a ban asks. Notes degenerate rows in `state`.
        """
        state.watch.begin(logits)
        row = self._one_row(logits, step, state)
        made = row.spread() if row is not None else dense(self._left(logits, step, state))
        state.logits = made
        return made

    def choose(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The tokens [N] int64 for logits [N, V] as `process` takes them."""
        state.watch.begin(logits)
        row = self._one_row(logits, step, state)
        if row is not None:
            state.logits = None if self.compact_selector else row.spread()
            return self._row.select(row, step, state.selector, state.watch)
        left = state.logits = self._left(logits, step, state)
        if not isinstance(left, Candidates):
            return self.select(left, step, state)
        if self.trace is not None or not self.compact_selector:
            return self.select(left.spread(), step, state)
        return left.tokens(self._members.selected(left.logits, step, state))

    def _one_row(self, logits: Tensor, step: Step, state: ChainState) -> Row | None:
        """What all stages leave of a single ordinary row on a CPU, else None."""
        pays = self._row.pays and not self._even
        alone = pays and self.trace is None and logits.shape[0] == 1 and logits.device.type == "cpu"
        return self._row.left(logits, step, state.stages, state.watch) if alone else None

    def _left(self, logits: Tensor, step: Step, state: ChainState) -> Tensor | Candidates:
        """What all stages leave."""
        raw, broken = clean(logits)
        if self.trace is not None:
            self.trace.begin(raw, step)
        left, reference = self._members.left(raw, step, state, self.trace)
        return self._settled(left, reference, raw, broken, step, state)

    def _settled(
        self, left: Tensor | Candidates, reference: Tensor, raw: Tensor, broken: Tensor | None, step: Step,
        state: ChainState,
    ) -> Tensor | Candidates:  # fmt: skip
        """What every row can be drawn from; rows that needed help are counted."""
        fallen = broken
        made: Tensor | Candidates = left
        if not (left.sound() if isinstance(left, Candidates) else sound(left, step.stop_token)):
            current = dense(left)
            own = current is left and self.trace is None and broken is not None  # else it may be the engine's
            settled = settle(current if own else current.clone(), reference, raw, step.stop_token)
            state.rescued = state.rescued + settled.rescued
            if raw.device.type == "cpu":
                self._members.blame(raw, settled, step, state)
            fallen = settled.fallen if broken is None else settled.fallen | broken
            made = settled.logits
        if fallen is not None:
            state.degenerate = state.degenerate + fallen
        if self.trace is not None:
            self.trace.stage(PROTECTION, dense(left), dense(made), step)
        return made

    def select(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The tokens [N] int64, from what `process` returned."""
        tokens = self._members.selected(logits, step, state)
        if self.trace is not None:
            own = state.selector
            details = self.selector.details(logits, tokens, step, own) if isinstance(self.selector, Detailed) else {}
            self.trace.choice(self.selector.support(logits, step, own), tokens, step, None, details)
        return tokens

    def advance(
        self, logits: Tensor, step: Step, state: ChainState, finished: Tensor | None = None
    ) -> tuple[Choice, ChainState]:
        """A search's choice instead of `select`, from what `process` returned; the state has followed the parents.

        Give every row its parent's history (`step.select(choice.parents)`), then accept and append the tokens.
        Utterances whose rows are all `finished` [N] (at their limit, say) stay as they are, whatever the batch does.
        """
        if self.search is None:
            raise UsageError("the chain has no search")
        support = self._members.supported(logits, step, state)
        logprobs = torch.log_softmax(support, dim=-1)
        choice, searched = self._members.searched(self.search, logprobs, step, state)
        if self.trace is not None:
            self.trace.choice(support, choice.tokens, step, choice.parents, {})
        if finished is not None:
            over = finished.view(-1, self.width).all(1).repeat_interleave(self.width, output_size=finished.numel())
            own = torch.arange(finished.numel(), device=finished.device)
            choice = Choice(choice.tokens, torch.where(over, own, choice.parents), choice.finished | over)
            searched = states.merge(over, state.search, searched)
        moved = replace(state, search=None).select(choice.parents)
        moved.search = searched
        return choice, moved

    def accept(self, tokens: Tensor, step: Step, state: ChainState, logits: Tensor | None = None) -> ChainState:
        """The state after tokens [N], selected or imposed; call it before `step.append(tokens)`.

        `logits` [N, V] is what `process` returned, if that wasn't its last call for this state.
        """
        left = state.logits if logits is None else logits
        *stages, selector = self._members.accepted(tokens, step, state, left)
        return ChainState(
            stages, selector, state.search, state.degenerate, state.rescued, state.faults, state.logits, state.watch
        )

    def require(self, state: ChainState) -> None:
        """Raises PluginError where a member broke its contract in a row of `state`; waits for the device."""
        found = 0 if state.faults.device.type == "cpu" or state.faults.numel() == 0 else int(state.faults.amax())
        if found:
            raise self.fault(found)

    def fault(self, found: int) -> PluginError:
        """The error for a row's `faults`."""
        return self._members.fault(found)
