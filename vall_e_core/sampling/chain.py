"""The chain at work: transforms in order, one selector, at most one search."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import FAILURES, PluginError, UsageError
from ..kinds.sampler import DRAW
from . import state as states
from .candidates import Candidates
from .guard import (
    ID,
    WROTE,
    Maker,
    Seen,
    Watch,
    check_logits,
    check_state,
    check_tokens,
    faults,
    noted,
    raise_for,
    said,
    told,
)
from .protection import clean, keep_stop, settle, sound
from .protocols import Choice, Detailed, Narrowing, Search, Selector, StateContext, StatelessSelector, Trace, Transform
from .row import Row, RowPath
from .stage import Stage, narrowing
from .step import Step

PROTECTION = "protection"
"""What a trace calls the last stage of all: rows that nothing could be drawn from, or nothing but the stop token."""


@dataclass
class ChainState:
    """Everything that changes while a chain runs; one row of every tensor for each row of the batch."""

    stages: list[Any]
    selector: Any
    search: Any
    degenerate: Tensor
    """How many steps of each row [N] needed the fallback, or came with NaN or +inf."""
    rescued: Tensor
    """How many steps of each row [N] had only the stop token left."""
    faults: Tensor
    """What members of the chain did wrong in each row [N], as bits; on a CPU that is raised instead."""
    logits: Tensor | Candidates | None = field(default=None, repr=False)
    """What `process` or `choose` made last [N, V], for a selector that remembers; `accept` hands it over."""
    watch: Watch = field(default_factory=Watch, repr=False, compare=False)

    def select(self, rows: Tensor) -> ChainState:
        """The state of rows [M]: finished rows dropped, or each hypothesis continuing its parent."""
        return states.select(self, rows)

    def snapshot(self) -> ChainState:
        """A copy to roll back to."""
        return states.snapshot(self)

    def counts(self) -> dict[str, list[int]]:
        """What went wrong, per row. Waits for the device: call it once, at the end."""
        return {"degenerate": self.degenerate.tolist(), "rescued": self.rescued.tolist()}


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
        makers: tuple[Maker, Maker] = (Maker(DRAW, foreign=False), Maker("search", foreign=False)),
    ) -> None:
        self.stages = tuple(stages)
        self._chooses, self._searches = makers
        self.selector: Selector = StatelessSelector() if selector is None else selector
        self.compact_selector = selector is None or compact_selector
        """Whether the selector sees nothing but what is left, and remembers nothing."""
        self._narrowing = narrowing(self.stages, self.compact_selector)
        self._row = RowPath(self.stages, self._narrowing, self.selector, self.compact_selector, self._chooses)
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

    @property
    def _blamed(self) -> list[Maker]:
        """Who is to blame for each stage."""
        return [each.blamed for each in self.stages]

    def watched(self, trace: Trace | None) -> Chain:
        """The same chain under the eyes of a trace; None takes it away."""
        made = copy(self)
        made.trace = trace
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
        own: list[Any] = []
        makers = [*self._blamed, self._chooses, self._searches]
        try:
            members: list[Transform | Selector] = [*(one.transform for one in self.stages), self.selector]
            for each in members:
                own.append(each.init(rows, context))
                check_state(makers[len(own) - 1], own[-1], rows)
            own.append(None if self.search is None else self.search.init(rows // self.search.width, context))
        except FAILURES as error:
            raise_for(makers[min(len(own), len(makers) - 1)], "init", error)
        *stages, selector, search = own
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
            after = [
                stage.transform.accept(tokens, past, each) for stage, each in zip(self.stages, fresh, strict=True)
            ]
            fresh = states.merge(step.lengths > position, after, fresh)
        return fresh

    def process(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """Logits [N, V] (any float type, NaN and ±inf allowed) -> [N, V] float32 that every row can be drawn from.

        No stage takes the stop token away, nor leaves only it, unless a ban asks. Notes degenerate rows in `state`.
        """
        state.watch.begin(logits.shape[0])
        row = self._one_row(logits, step, state)
        made = row.spread() if row is not None else _dense(self._left(logits, step, state))
        state.logits = made
        return made

    def choose(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The tokens [N] int64 for logits [N, V] as `process` takes them."""
        state.watch.begin(logits.shape[0])
        row = self._one_row(logits, step, state)
        if row is not None:
            state.logits = None if self.compact_selector else row.spread()
            if state.watch.now:
                given = row.spread()
                seen = Seen(given, step)
                return self._looked(given, self._row.select(row, step, state.selector), seen, state)
            tokens = self._row.select(row, step, state.selector)
            if not self._chooses.foreign:
                return tokens
            return self._existing(len(self.stages), tokens, row.size, "select", state)
        left = state.logits = self._left(logits, step, state)
        if not isinstance(left, Candidates):
            return self.select(left, step, state)
        if self.trace is not None or not self.compact_selector:
            return self.select(left.spread(), step, state)
        return left.tokens(self._selected(left.logits, step, state))

    def _one_row(self, logits: Tensor, step: Step, state: ChainState) -> Row | None:
        """What all stages leave of a single ordinary row on a CPU, else None."""
        alone = self._row.pays and self.trace is None and logits.shape[0] == 1 and logits.device.type == "cpu"
        return self._row.left(logits, step, state.stages, state.watch) if alone else None

    def _left(self, logits: Tensor, step: Step, state: ChainState) -> Tensor | Candidates:
        """What all stages leave."""
        raw, broken = clean(logits)
        if self.trace is not None:
            self.trace.begin(raw, step)
        narrows = raw.device.type == "cpu" and step.stop_token in (None, raw.shape[-1] - 1)
        left: Tensor | Candidates = raw
        reference = raw
        untouched = True
        for at, stage in enumerate(self.stages):
            before = left
            left = self._applied(at, self._narrowing.get(at) if narrows else None, before, step, state)
            if not stage.prepares:
                untouched = False
            elif untouched:
                reference = _dense(left)
            else:
                banned = _dense(left)
                reference = torch.where(banned == float("-inf"), banned, reference)
            if self.trace is not None:
                self.trace.stage(stage.name, _dense(before), _dense(left), step)
        return self._settled(left, reference, raw, broken, step, state)

    def _settled(
        self, left: Tensor | Candidates, reference: Tensor, raw: Tensor, broken: Tensor | None, step: Step,
        state: ChainState,
    ) -> Tensor | Candidates:  # fmt: skip
        """What every row can be drawn from; rows that needed help are counted."""
        fallen = broken
        made: Tensor | Candidates = left
        if not (left.sound() if isinstance(left, Candidates) else sound(left, step.stop_token)):
            current = _dense(left)
            own = current is left and self.trace is None and broken is not None  # else it may be the engine's
            settled = settle(current if own else current.clone(), reference, raw, step.stop_token)
            state.rescued = state.rescued + settled.rescued
            if settled.fallen.device.type == "cpu" and settled.fallen.numpy().any():
                self._blame(raw, step, state)
            fallen = settled.fallen if broken is None else settled.fallen | broken
            made = settled.logits
        if fallen is not None:
            state.degenerate = state.degenerate + fallen
        if self.trace is not None:
            self.trace.stage(PROTECTION, _dense(left), _dense(made), step)
        return made

    def select(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The tokens [N] int64, from what `process` returned."""
        tokens = self._selected(logits, step, state)
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
        support = self._supported(logits, step, state)
        logprobs = torch.log_softmax(support, dim=-1)
        choice, searched = self._searched(self.search, logprobs, step, state)
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
        stages: list[Any] = []
        selector = state.selector
        kept = tokens.clone() if state.watch.now else None
        left = state.logits if logits is None else logits
        try:
            for stage, own in zip(self.stages, state.stages, strict=True):
                stages.append(stage.transform.accept(tokens, step, own))
            if left is not None and not (selector is None and self.compact_selector):  # else it remembers nothing
                selector = self.selector.accept(_dense(left), tokens, step, selector)
        except FAILURES as error:
            raise_for([*self._blamed, self._chooses][len(stages)], "accept", error)
        if kept is not None:
            self._accepted(tokens, kept, stages, selector)
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
        return told([*self._blamed, self._chooses, self._searches], found)

    def _applied(
        self, at: int, narrowing: Narrowing | None, before: Tensor | Candidates, step: Step, state: ChainState
    ) -> Tensor | Candidates:
        """What a stage makes of logits or candidates. The stop token stays, unless it bans."""
        stage, maker = self.stages[at], self.stages[at].blamed
        if isinstance(before, Candidates) and not stage.compact:
            before = before.spread()
        given = before.logits if isinstance(before, Candidates) else before
        seen = Seen(given, step) if state.watch.now else None
        try:
            if narrowing is not None and not isinstance(before, Candidates):
                few = Candidates.of(before, narrowing.kept(before, step, state.stages[at]), step.stop_token)
                if seen is not None:
                    seen.check(maker, "kept")
                return few
            made = stage.transform.apply(given, step, state.stages[at])
            if seen is not None or (maker.foreign and made.shape != given.shape):
                check_logits(maker, "apply", made, given)
            if seen is not None:
                self._note(at, seen.check(maker, "apply"), state)
            if maker.foreign and (bits := faults(made, given, stage.bans)) is not None:
                self._raise_or_keep(at, bits, "apply", state)
            if isinstance(before, Candidates):
                return before.filtered(made) if stage.protects else before.changed(made)
            return keep_stop(before, made, step.stop_token) if stage.protects else made
        except FAILURES as error:
            raise_for(maker, "apply", error)

    def _raise_or_keep(self, member: int, bits: Tensor, method: str, state: ChainState) -> None:
        """Faults [N] of a member: raised on a CPU, kept elsewhere."""
        if bits.device.type != "cpu":
            state.faults = state.faults | noted(member, bits)
        elif found := int(bits.numpy().max()):
            raise said([*self._blamed, self._chooses, self._searches][member], found, method)

    def _note(self, member: int, wrote: Tensor | None, state: ChainState) -> None:
        if wrote is not None:
            state.faults = state.faults | noted(member, wrote.long() << WROTE)

    def _blame(self, raw: Tensor, step: Step, state: ChainState) -> None:
        """Raises PluginError for the first stage that breaks a row on a CPU; none does where it is banned empty."""
        left = raw
        for at, stage in enumerate(self.stages):
            made = stage.transform.apply(left, step, state.stages[at])
            bits = faults(made, left, stage.bans)
            if bits is not None:
                self._raise_or_keep(at, bits, "apply", state)
            left = keep_stop(left, made, step.stop_token) if stage.protects else made

    def _selected(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The selector's tokens [N] for logits [N, V]."""
        seen = Seen(logits, step) if state.watch.now else None
        try:
            tokens = self.selector.select(logits, step, state.selector)
        except FAILURES as error:
            raise_for(self._chooses, "select", error)
        return self._looked(logits, tokens, seen, state) if seen is not None or self._chooses.foreign else tokens

    def _looked(self, logits: Tensor, tokens: Tensor, seen: Seen | None, state: ChainState) -> Tensor:
        """Tokens [N] that the selector chose from logits [N, V], looked at."""
        member = len(self.stages)
        if seen is not None:
            check_tokens(self._chooses, "select", tokens, logits)
            self._note(member, seen.check(self._chooses, "select"), state)
        return self._existing(member, tokens, logits.shape[-1], "select", state)

    def _existing(self, member: int, ids: Tensor, size: int, method: str, state: ChainState) -> Tensor:
        """Ids [N], if all are below `size`; where the host may not look, others become ids that exist."""
        if ids.device.type != "cpu":
            self._raise_or_keep(member, ((ids < 0) | (ids >= size)).long() << ID, method, state)
            return ids.clamp(0, size - 1)
        if not all(0 <= each < size for each in ids.tolist()):
            raise said([*self._blamed, self._chooses, self._searches][member], 1 << ID, method)
        return ids

    def _supported(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """What the selector leaves of logits [N, V], the stop token in any case."""
        seen = Seen(logits, step) if state.watch.now else None
        try:
            made = self.selector.support(logits, step, state.selector)
        except FAILURES as error:
            raise_for(self._chooses, "support", error)
        if seen is not None:
            check_logits(self._chooses, "support", made, logits)
            self._note(len(self.stages), seen.check(self._chooses, "support"), state)
        if self._chooses.foreign and (bits := faults(made, logits, False)) is not None:
            self._raise_or_keep(len(self.stages), bits, "support", state)
        return keep_stop(logits, made, step.stop_token)

    def _searched(self, search: Search, logprobs: Tensor, step: Step, state: ChainState) -> tuple[Choice, Any]:
        """A search's choice and state after log-probabilities [N, V]."""
        seen = Seen(logprobs, step) if state.watch.now else None
        try:
            choice, searched = search.advance(logprobs, step, state.search)
            choice = Choice(*choice)
        except FAILURES as error:
            raise_for(self._searches, "advance", error)
        member = len(self.stages) + 1
        if seen is not None:
            for ids in choice[:2]:
                check_tokens(self._searches, "advance", ids, logprobs)
            check_state(self._searches, searched, len(logprobs))
            self._note(member, seen.check(self._searches, "advance"), state)
        if self._searches.foreign:
            tokens = self._existing(member, choice.tokens, logprobs.shape[-1], "advance", state)
            choice = Choice(
                tokens, self._existing(member, choice.parents, len(logprobs), "advance", state), choice.finished
            )
        return choice, searched

    def _accepted(self, tokens: Tensor, kept: Tensor, stages: Sequence[Any], selector: Any) -> None:  # noqa: ANN401 - each member's own
        """Raises PluginError where an accept() wrote to the tokens, or made a state that no row of can be taken."""
        for maker, own in zip([*self._blamed, self._chooses], [*stages, selector], strict=True):
            check_state(maker, own, len(kept))
        if tokens.device.type == "cpu" and (tokens.numpy() != kept.numpy()).any():
            names = ", ".join(each.name for each in (*self._blamed, self._chooses))
            raise PluginError(f"the samplers {names}: one of them wrote to the tokens it was given, in accept()")


def _dense(left: Tensor | Candidates) -> Tensor:
    """Logits [N, V]."""
    return left.spread() if isinstance(left, Candidates) else left
