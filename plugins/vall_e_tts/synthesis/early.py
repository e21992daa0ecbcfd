"""A part of a text heard while it is made: level 0 step by step, the rest in windows behind it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from vall_e_lm import ArPass, finite_states, stream_ar

from .candidates import Chosen, Spoken
from .codes import find_loop
from .run import Sound
from .streaming import PartStream, Piece
from .takes import Steps, Take, judge, retry_seed
from .whole import choose
from .work import Call, Follow, Following, Level0, More

if TYPE_CHECKING:
    from .run import SpeechRun

STEPS = 4
"""Frames of level 0 that are handed on at a time."""
NOTHING = torch.zeros(0, dtype=torch.long)


def early_part(run: SpeechRun, part: int) -> Steps[None]:
    """Part `part` of a run in pieces, as soon as they are settled.

    What has been heard can't be taken again: only a part in which the model stops at once is, and one that repeats
    itself is ended there.
    """
    plan, pieces = run.plan, list[Piece]()
    for attempt in range(plan.passes.max_tries):
        level0 = Level0(run, part, 0, attempt, retry_seed(plan.seed, attempt))
        take = Take(NOTHING, "length", level0.seed)
        source: _Source = _Row(level0) if run.joins(attempt) else _Alone(level0)
        codes, made = NOTHING, _stream(run, part)
        while True:
            chunk = yield from source.more()
            if chunk is not None:
                codes = torch.cat((codes, chunk.cpu()))
                if find_loop(codes.numpy(), plan.codec.frame_rate) is not None:
                    source.stop()
                    take, chunk = Take(codes, "length", level0.seed), None
            if chunk is None:
                take = _judged(run, part, attempt, source.take or replace(take, rung=run.chain(attempt)[0]))
            made.push(NOTHING if chunk is None else chunk, chunk is None)
            while made.due and take.verdict != "empty":  # which is known before the first piece
                piece: Piece = yield Call(run, "stream", made.piece)
                pieces.append(piece)
                yield Sound(piece.wave)
            if chunk is None:
                break
        if pieces:
            break
    spoken: dict[int, Spoken] = {}
    if pieces:
        spoken = {0: Spoken(torch.cat([each.codes for each in pieces]), np.concatenate([each.wave for each in pieces]))}
    chosen: Chosen = yield Call(run, "score", functools.partial(choose, run, part, [take], spoken))
    yield Sound(np.zeros(0, np.float32), chosen)


class _Source(Protocol):
    """Level 0 of a part, a few frames at a time."""

    @property
    def take(self) -> Take | None:
        """What it has become, once it has ended by itself."""

    def more(self) -> Steps[Tensor | None]:
        """The next frames [t]; None at the end."""

    def stop(self) -> None:
        """It is long enough."""


class _Row:
    """As a row among those of others."""

    def __init__(self, level0: Level0) -> None:
        self._level0 = level0
        self._following: Following | None = None

    @property
    def take(self) -> Take | None:
        return None if self._following is None else self._following.take

    def more(self) -> Steps[Tensor | None]:
        if self._following is None:
            self._following = yield Follow(self._level0)
        found: Tensor = yield More(self._following, STEPS)
        return found if len(found) else None

    def stop(self) -> None:
        assert self._following is not None
        self._following.stop()


class _Alone:
    """As a sequence of its own."""

    def __init__(self, level0: Level0) -> None:
        self._level0, self.take = level0, cast("Take | None", None)
        self._steps = self._write()

    def more(self) -> Steps[Tensor | None]:
        found: Tensor | None = yield Call(self._level0.run, "level 0", functools.partial(next, self._steps, None))
        return found

    def stop(self) -> None:
        self._steps = iter(())

    def _write(self) -> Iterator[Tensor]:
        level0, plan = self._level0, self._level0.run.plan
        rung, chain = level0.run.chain(level0.attempt)
        how = ArPass(
            chain, level0.seed, early_exit=plan.passes.early_exit, guidance=plan.passes.ar_guidance,
            frame_rate=plan.codec.frame_rate, progress=level0.run.progress,
        )  # fmt: skip
        limit = plan.wanted[level0.part].limit
        steps = stream_ar(plan.model, level0.utterance, how, max_steps=limit, every=STEPS)
        while True:
            with finite_states(plan.model, "AR"):
                try:
                    chunk = next(steps)
                except StopIteration as end:
                    result = end.value
                    break
            yield chunk
        self.take = Take(
            result.codes, result.stop_reason, level0.seed, result.log_probability, degenerate=result.degenerate,
            rung=rung,
        )  # fmt: skip


def _stream(run: SpeechRun, part: int) -> PartStream:
    plan = run.plan
    return PartStream(
        plan.model, plan.utterance(part, own=True), run.levels, plan.codec, seed=plan.seed,
        levels=plan.passes.levels, guidance=plan.passes.nar_guidance,
    )  # fmt: skip


def _judged(run: SpeechRun, part: int, attempt: int, take: Take) -> Take:
    verdict, findings = judge(take, run.plan.wanted[part], run.plan.codec.frame_rate)
    return replace(take, verdict=verdict, findings=findings, tries=attempt + 1)
