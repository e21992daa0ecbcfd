"""The loop that writes sequences token by token: AR codes, phonemes of a transcription, digits of a length.

Rows run side by side and stop at different times. All that a step needs lies on the device in buffers allocated once,
so that an engine can record one (`pace.py`); the host asks "is anyone still writing?" at every step on the CPU, where
asking is free, and every 16 elsewhere. The place of a row that has ended goes to the next sequence that waits. What a
row does after its end is thrown away, and noise is counted per row, so neither the period nor the neighbours show in
the result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states

from .pace import pace_of
from .rows import Rows, Written
from .steppers import CachedStepper, Job, Stepper, UncachedStepper
from .types import Progress

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain, ChainState

    from ..model import BaseModel, EarlyExit, Target
    from .guidance import Guidance

CHECK_PERIODS = {"cpu": 1}
"""Steps between two looks at who has stopped, by device type."""
DEFAULT_CHECK_PERIOD = 16


@dataclass(frozen=True)
class Settings:
    """How sequences are written."""

    stage: str
    seed: int = 0
    cache: bool = True
    guidance: Guidance | None = None
    early_exit: EarlyExit | None = None
    keep_likeliest: bool = False
    frame_rate: float = 75.0
    progress: Progress | None = None
    rows: int | None = None
    """Sequences written at the same time; None: all."""
    check_period: int | None = None
    """None: as the device suggests."""


class Loop:
    """One batch from prefill to the last stop.

    With a search, the rows of an utterance lie together, best first, and its first row is the result; it ends when all
    its rows are finished.
    """

    def __init__(
        self,
        model: BaseModel,
        target: Target,
        jobs: Sequence[Job],
        chain: Chain,
        settings: Settings,
        longest: int | None,
        rows: int,
    ) -> None:
        """``longest``: tokens that any job has at the beginning; None: no cache. ``rows``: jobs at the same time, which
        without `can_join` are all."""
        self.settings, self.chain, self.jobs, self.width = settings, chain, jobs, chain.width
        self.stop = model.stop_token(target)
        self.device = jobs[0].prefix.device
        period = settings.check_period
        self.period = CHECK_PERIODS.get(self.device.type, DEFAULT_CHECK_PERIOD) if period is None else period
        self.last = max(job.limit for job in jobs)
        self.capacity = max(len(job.prefix) for job in jobs) + self.last
        self.waiting = deque(range(rows, len(jobs)))
        self.staggered = len(jobs) > rows
        self.most = self.last + -(-sum(job.limit for job in jobs[rows:]) // rows)
        """Steps that all of it can take: never more than the longest job and an equal share of those that wait."""
        self.until = self.last
        """The step at which all rows that are being written have reached their limits."""
        first = jobs[:rows]
        self.stepper: Stepper
        if longest is None:
            self.stepper = UncachedStepper(model, target, first, settings.guidance, settings.early_exit)
        else:
            room = longest + self.last + (self.period if self.staggered else 0)  # rows go on until the next look
            self.stepper = CachedStepper(model, target, first, settings.guidance, settings.early_exit, room)
        self.step, self.rows, self.state = self._fresh(range(rows))
        self.results: dict[int, Written] = {}
        self.pace = pace_of(self, model.recorder)

    def _fresh(self, places: Sequence[int]) -> tuple[Step, Rows, ChainState]:
        """The beginnings of the jobs at ``places``, ``width`` rows for each."""
        places = [i for i in places for _ in range(self.width)]
        members = [self.jobs[i] for i in places]
        step = Step.start(
            [job.key for job in members],
            stage=self.settings.stage,
            seed=self.settings.seed,
            capacity=self.capacity,
            stop_token=self.stop,
            frame_rate=self.settings.frame_rate,
            prefixes=[job.prefix for job in members],
            device=self.device,
        )
        rows = Rows.start(members, places, self.device, likeliest=self.last if self.settings.keep_likeliest else 0)
        return step, rows, self.chain.init(len(members), step)

    def run(self) -> list[Written]:
        """All of it -> what was written, in the order of the jobs."""
        for done in self.steps():
            if self.settings.progress is not None:
                self.settings.progress(self.settings.stage, done, self.most)
        return [self.results[i] for i in range(len(self.jobs))]

    def steps(self) -> Iterator[int]:
        """Write step by step, and count; the host waits for the device only when it looks at who has stopped."""
        self.pace.begin(self, *self._prefill())
        done = 0
        while True:
            self.pace.choose(self)
            done += 1
            yield done
            freed: list[int] = []
            if done % self.period == 0 or done >= self.until:
                alive = (~self.rows.finished).view(-1, self.width).any(1).repeat_interleave(self.width)
                count = self._count(alive)
                if count == 0 and not self.waiting:
                    break
                if not self.waiting and self._worth_dropping(count):
                    self._drop(alive)
                elif self.staggered and count < len(alive):
                    freed = self._free(alive)
            self.pace.go_on(self)
            if freed:
                self._admit(freed, done)
        self._collect(torch.arange(len(self.rows.job), device=self.device))

    def _count(self, alive: Tensor) -> int:
        """How many rows go on; what the chain kept of its members' faults on the device is looked at as well."""
        if self.device.type == "cpu":
            return int(alive.sum())
        count, found = torch.stack((alive.sum(), self.state.faults.amax())).tolist()
        if found:
            raise self.chain.fault(found)
        return int(count)

    def _prefill(self) -> tuple[Tensor, Tensor | None]:
        """One pass over what is given; a search's rows share their utterance's."""
        logits, null = self.stepper.first()
        if self.width == 1:
            return logits, null
        spread = torch.arange(len(logits), device=self.device).repeat_interleave(self.width)
        self.stepper.select(spread)
        return logits[spread], None if null is None else null[spread]

    def _free(self, alive: Tensor) -> list[int]:
        """Hand in what is finished -> its rows, as many as are wanted; the others are kept from growing on."""
        over = (~alive).nonzero()[:, 0]
        self._collect(over)
        self.rows.job.index_fill_(0, over, -1)
        self.stepper.park(over)
        return over.tolist()[: len(self.waiting)]

    def _admit(self, freed: Sequence[int], done: int) -> None:
        """Begin the next jobs in the rows ``freed``."""
        places = [self.waiting.popleft() for _ in freed]
        at = torch.tensor(freed, device=self.device)
        step, rows, state = self._fresh(places)
        self.step.put(at, step)
        self.rows.put(at, rows)
        self.state = states.put(replace(self.state, logits=None), at, state)
        self.pace.admit(self, at, *self.stepper.admit(at, [self.jobs[i] for i in places]))
        self.until = max(self.until, *(done + self.jobs[i].limit for i in places))

    def choose(self, logits: Tensor, null: Tensor | None) -> Tensor:
        """Choose a token for every row and write it down, ``[N, V]`` -> ``[N]``; asks the device for nothing."""
        self.step.unconditional_logits = null
        log_probability = torch.log_softmax(logits, -1)
        finished: Tensor | None = None
        if self.chain.search is None:
            tokens = self.chain.choose(logits, self.step, self.state)
        else:
            processed = self.chain.process(logits, self.step, self.state)
            choice, self.state = self.chain.advance(processed, self.step, self.state, self.rows.finished)
            tokens, parents, finished = choice
            log_probability = log_probability[parents]
            self.step = self.step.select(parents)
            self.rows.select(parents)
            self.stepper.select(parents)
        self.state = self.chain.accept(tokens, self.step, self.state)
        tokens = self._write(tokens, log_probability, finished)
        self.step.append(tokens)
        return tokens

    def _write(self, tokens: Tensor, log_probability: Tensor, finished: Tensor | None) -> Tensor:
        """Count and note the tokens; rows that had finished go on with token 0, which nobody reads."""
        rows = self.rows
        writing = ~rows.finished
        tokens = tokens.masked_fill(rows.finished, 0)
        stop = torch.zeros_like(writing) if self.stop is None else writing & (tokens == self.stop)
        rows.score.add_(log_probability.gather(1, tokens[:, None])[:, 0].masked_fill_(rows.finished, 0.0))
        if self.settings.keep_likeliest:
            if self.stop is not None:
                log_probability[:, self.stop] = -torch.inf
            rows.likeliest.scatter_(1, rows.count.clamp(max=self.last - 1)[:, None], log_probability.argmax(-1, True))
        rows.count.add_(writing & ~stop)
        rows.steps.add_(writing)
        rows.stopped.logical_or_(stop)
        rows.finished.logical_or_(stop).logical_or_(rows.steps >= rows.limit)
        if finished is not None:
            rows.finished.logical_or_(finished)
        return tokens

    def _worth_dropping(self, alive: int) -> bool:
        """A step's time grows with its rows on a CPU; elsewhere only a large share makes up for moving the cache."""
        share = 0.9 if self.device.type == "cpu" else 0.5
        return alive <= share * len(self.rows.job)

    def _drop(self, alive: Tensor) -> None:
        """Hand in what is finished and go on without it."""
        self._collect((~alive).nonzero()[:, 0])
        keep = alive.nonzero()[:, 0]
        self.rows.select(keep)
        self.step = self.step.select(keep)
        self.state = self.state.select(keep)
        self.stepper.select(keep)
        self.pace.keep(self, keep)

    def _collect(self, which: Tensor) -> None:
        """Fetch rows ``which`` ``[M]`` (one wait for the device) that weren't fetched before; of a search's rows the
        first of each utterance."""
        which = which[:: self.width]
        rows, picked = self.rows, which.tolist()
        columns = (rows.job, rows.begin, rows.count, rows.stopped, rows.steps, self.state.degenerate)
        numbers = torch.stack([column[which].long() for column in columns], dim=1).tolist()
        scores = rows.score[which].tolist()
        for row, score, (job, begin, count, stopped, steps, degenerate) in zip(picked, scores, numbers, strict=True):
            if job < 0:
                continue
            self.results[job] = Written(
                tokens=self.step.history[row, begin : begin + count].clone(),
                stopped=bool(stopped),
                steps=steps,
                log_probability=score,
                likeliest=rows.likeliest[row, :count].clone(),
                degenerate=degenerate,
            )
