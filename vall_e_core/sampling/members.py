"""The members of a chain as it calls them: what goes wrong in one is raised with its name (see `guard`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import FAILURES, PluginError
from . import guard
from .candidates import Candidates
from .chain_state import ChainState
from .guard import ID, MOST, NEVER, Look, Maker
from .protection import Settled, keep_stop
from .protocols import Choice, Search, Selector, StateContext, Trace, Transform
from .stage import Stage, foreign, narrowing
from .step import Step


class Members:
    """Transforms in order, a selector, and perhaps a search."""

    def __init__(
        self, stages: Sequence[Stage], selector: Selector, search: Search | None, makers: tuple[Maker, Maker],
        compact: bool,
    ) -> None:  # fmt: skip
        self.stages, self.selector, self.search = tuple(stages), selector, search
        self.narrowing = narrowing(self.stages, compact)
        self.chooses, self.searches = makers
        self._remembers_nothing = compact
        self._makers = (*(each.blamed for each in self.stages), *makers)
        self._foreign = foreign(self.stages)
        self._strangers = [self._makers[at] for at in self._foreign]

    def fault(self, found: int) -> PluginError:
        """The error for what a device kept of a row."""
        return guard.told(self._makers, found)

    def init(self, rows: int, context: StateContext) -> list[Any]:
        """Fresh states: of the transforms, the selector, the search."""
        own: list[Any] = []
        try:
            members: list[Transform | Selector] = [*(stage.transform for stage in self.stages), self.selector]
            for each in members:
                own.append(each.init(rows, context))
                guard.check_state(self._makers[len(own) - 1], own[-1], rows)
            own.append(None if self.search is None else self.search.init(rows // self.search.width, context))
        except FAILURES as error:
            guard.raise_for(self._makers[min(len(own), len(self._makers) - 1)], "init", error)
        return own

    def left(
        self, raw: Tensor, step: Step, state: ChainState, trace: Trace | None
    ) -> tuple[Tensor | Candidates, Tensor]:
        """What all transforms leave of logits [N, V], and the logits [N, V] after those that prepare alone.

        Raises:
            PluginError: a member breaks its contract, where it shows at once or this step is looked at closely.
        """
        look = state.watch.look(step) if self._foreign and (state.watch.now or trace is not None) else None
        try:
            return self._through(raw, step, state, look, trace)
        except FAILURES:
            if self._foreign and raw.device.type == "cpu":  # one before it may have led it there
                self._again(raw, step, state)
            raise

    def blame(self, raw: Tensor, settled: Settled, step: Step, state: ChainState) -> None:
        """Raises PluginError for who broke a row on a CPU, or emptied it before the stop token was given back.

        The step is done again. No member is to blame for what is banned, nor where nothing was left before it.
        """
        if not (any(settled.fallen.tolist()) or (self._foreign and any(settled.rescued.tolist()))):
            return
        highest = self._again(raw, step, state).amax(-1)[settled.fallen]
        guard.not_again(
            self._strangers, bool((raw.amax(-1) < MOST).all()), bool(((highest > NEVER) & (highest < MOST)).any())
        )

    def _again(self, raw: Tensor, step: Step, state: ChainState) -> Tensor:
        """What is left [N, V] when each transform is looked at closely."""
        return dense(self._through(raw, step, state, Look(step, each=True), None)[0])

    def _through(
        self, raw: Tensor, step: Step, state: ChainState, look: Look | None, trace: Trace | None
    ) -> tuple[Tensor | Candidates, Tensor]:
        """As `left`, with a close look at some transforms, or at each."""
        on_cpu = raw.is_cpu
        left: Tensor | Candidates = raw
        reference, untouched = raw, True
        for at, stage in enumerate(self.stages):
            before = left
            try:
                left = self._applied(at, before, on_cpu, step, state, look)
                if not stage.prepares:
                    untouched = False
                elif untouched:
                    reference = dense(left)
                else:
                    banned = dense(left)
                    reference = torch.where(banned == NEVER, banned, reference)
            except FAILURES as error:
                guard.raise_for(self._makers[at], "apply", error)
            if trace is not None:
                trace.stage(stage.name, dense(before), dense(left), step)
        if look is not None:
            look.end(self._strangers, "apply")
        if self._foreign:
            fits = left.logits.shape == left.ids.shape if isinstance(left, Candidates) else left.shape == raw.shape
            if not fits:
                raise guard.one_of(self._strangers, "returned other logits than those of the tokens it was given")
        return left, reference

    def _applied(
        self, at: int, before: Tensor | Candidates, on_cpu: bool, step: Step, state: ChainState, look: Look | None
    ) -> Tensor | Candidates:
        """What a stage makes of logits or candidates. The stop token stays, unless it bans."""
        stage, maker = self.stages[at], self._makers[at]
        if isinstance(before, Candidates) and not stage.compact:
            before = before.spread()
        given = before.logits if isinstance(before, Candidates) else before
        if look is not None:
            look = look.at(maker, given)
        narrower = self.narrowing.get(at) if on_cpu and isinstance(before, Tensor) else None
        if narrower is not None and isinstance(before, Tensor) and step.stop_token in (None, before.shape[-1] - 1):
            ids = narrower.kept(before, step, state.stages[at])
            if look is not None:
                look.check(maker, "kept")
            return Candidates.of(before, ids, step.stop_token)
        made = stage.transform.apply(given, step, state.stages[at])
        if look is not None or (maker.foreign and not on_cpu):
            guard.check_logits(maker, "apply", made, given)
            if look is not None:
                self._note(at, look.check(maker, "apply"), "apply", state)
            self._note(at, guard.faults(made, given, stage.bans), "apply", state)
        if isinstance(before, Candidates):
            return before.filtered(made) if stage.protects else before.changed(made)
        return keep_stop(before, made, step.stop_token) if stage.protects else made

    def selected(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """The selector's tokens [N] for logits [N, V]."""
        look = self._look(self.chooses, logits, step, state)
        try:
            tokens = self.selector.select(logits, step, state.selector)
        except FAILURES as error:
            guard.raise_for(self.chooses, "select", error)
        if not self.chooses.foreign:
            return tokens
        at = len(self.stages)
        if look is not None:
            self._note(at, look.check(self.chooses, "select", last=True), "select", state)
        return self._existing(at, tokens, logits, logits.shape[-1], "select", state)

    def supported(self, logits: Tensor, step: Step, state: ChainState) -> Tensor:
        """What the selector leaves of logits [N, V], the stop token in any case."""
        maker, at = self.chooses, len(self.stages)
        look = self._look(maker, logits, step, state)
        try:
            made = self.selector.support(logits, step, state.selector)
        except FAILURES as error:
            guard.raise_for(maker, "support", error)
        if maker.foreign:
            guard.check_logits(maker, "support", made, logits)
            if look is not None:
                self._note(at, look.check(maker, "support", last=True), "support", state)
            self._note(at, guard.faults(made, logits, False), "support", state)
        return keep_stop(logits, made, step.stop_token)

    def searched(self, search: Search, logprobs: Tensor, step: Step, state: ChainState) -> tuple[Choice, Any]:
        """A search's choice and state after log-probabilities [N, V]."""
        maker, at = self.searches, len(self.stages) + 1
        look = self._look(maker, logprobs, step, state)
        try:
            choice, searched = search.advance(logprobs, step, state.search)
            choice = Choice(*choice)
        except FAILURES as error:
            guard.raise_for(maker, "advance", error)
        if look is not None:
            guard.check_state(maker, searched, len(logprobs))
            self._note(at, look.check(maker, "advance", last=True), "advance", state)
        if maker.foreign:
            tokens = self._existing(at, choice.tokens, logprobs, logprobs.shape[-1], "advance", state)
            parents = self._existing(at, choice.parents, logprobs, len(logprobs), "advance", state)
            choice = Choice(tokens, parents, choice.finished)
        return choice, searched

    def accepted(self, tokens: Tensor, step: Step, state: ChainState, left: Tensor | Candidates | None) -> list[Any]:
        """The states of the transforms, and of the selector, after tokens [N]; `left` is what they were chosen from."""
        kept = tokens.tolist() if state.watch.now and tokens.is_cpu else None
        own: list[Any] = []
        selector = state.selector
        try:
            for stage, before in zip(self.stages, state.stages, strict=True):
                own.append(stage.transform.accept(tokens, step, before))
            if left is not None and not (selector is None and self._remembers_nothing):
                selector = self.selector.accept(dense(left), tokens, step, selector)
            own.append(selector)
        except FAILURES as error:
            guard.raise_for(self._makers[len(own)], "accept", error)
        if state.watch.states:
            rows = tokens.shape[0]
            for maker, each in zip(self._makers, own, strict=False):
                if maker.foreign and each is not None:
                    guard.check_state(maker, each, rows)
        if kept is not None and tokens.tolist() != kept:
            makers = [each for each in self._makers if each.foreign]
            raise guard.one_of(makers, "wrote to the tokens it was given, in accept()")
        return own

    def _look(self, maker: Maker, logits: Tensor, step: Step, state: ChainState) -> Look | None:
        """A close look at what a selector or a search is given, if this step has one."""
        return state.watch.look(step).at(maker, logits) if state.watch.now else None

    def _note(self, at: int, bits: Tensor | None, method: str, state: ChainState) -> None:
        """Faults [N] of a member: raised on a CPU, kept elsewhere."""
        if bits is None:
            return
        if bits.device.type != "cpu":
            state.faults = state.faults | guard.noted(at, bits)
        elif found := int(bits.numpy().max()):
            raise guard.said(self._makers[at], found, method)

    def _existing(self, at: int, ids: Tensor, given: Tensor, size: int, method: str, state: ChainState) -> Tensor:
        """Ids [N] that a member chose, if all are below `size`; where the host may not look, others become ids that
        exist."""
        guard.check_tokens(self._makers[at], method, ids, given, size)
        if ids.is_cpu:
            return ids
        self._note(at, ((ids < 0) | (ids >= size)).long() << ID, method, state)
        return ids.clamp(0, size - 1)


def dense(left: Tensor | Candidates) -> Tensor:
    """Logits [N, V]."""
    return left.spread() if isinstance(left, Candidates) else left
