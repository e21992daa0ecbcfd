"""The loop that writes sequences token by token: AR codes, phonemes of a transcription, digits of a length.

Rows run side by side and stop at different times. All that a step needs lies on the device in buffers allocated once,
so that an engine can record one (`executors.py`); the host asks "is anyone still writing?" at every step on the CPU,
where asking is free, and every 16 elsewhere. The place of a row that has ended goes to the next sequence that waits.
What a row does after its end is thrown away, and noise is counted per row, so neither the period nor the neighbors
show in the result."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .executors import executor_of
from .lane import Lane, LaneSettings
from .rows import Written
from .steppers import CachedStepper, Job, Stepper, UncachedStepper
from .types import Progress

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, EarlyExit, Target
    from .guidance import Guidance

CHECK_PERIODS = {"cpu": 1}
"""Steps between two looks at who has stopped, by device type."""
DEFAULT_CHECK_PERIOD = 16


@dataclass(frozen=True)
class Settings:
    """How sequences are written."""

    stage: str
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


def check_period(device: torch.device) -> int:
    """Steps between two looks at who has stopped."""
    return CHECK_PERIODS.get(device.type, DEFAULT_CHECK_PERIOD)


class Loop:
    """One batch of known jobs, by one chain, from prefill to the last stop."""

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
        self.device = jobs[0].prefix.device
        period = settings.check_period
        self.period = check_period(self.device) if period is None else period
        self.last = max(job.limit for job in jobs)
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
        capacity = max(len(job.prefix) for job in jobs) + self.last
        likeliest = self.last if settings.keep_likeliest else 0
        stop = model.stop_token(target)
        self.lane = Lane(
            chain, LaneSettings(settings.stage, stop, self.device, capacity, settings.frame_rate, likeliest)
        )
        self.lane.begin(self.lane.fresh(first, range(rows)))
        self.results: dict[int, Written] = {}
        self.executor = executor_of(self, model.recorder)

    def run(self) -> list[Written]:
        """All of it -> what was written, in the order of the jobs."""
        for done in self.steps():
            if self.settings.progress is not None:
                self.settings.progress(self.settings.stage, done, self.most)
        return [self.results[i] for i in range(len(self.jobs))]

    def steps(self) -> Iterator[int]:
        """Write step by step, and count; the host waits for the device only when it looks at who has stopped."""
        self.executor.begin(self, *self._prefill())
        done = 0
        while True:
            self.executor.choose(self)
            done += 1
            yield done
            freed: list[int] = []
            if done % self.period == 0 or done >= self.until:
                alive = (~self.lane.rows.finished).view(-1, self.width).any(1).repeat_interleave(self.width)
                count = self._count(alive)
                if count == 0 and not self.waiting:
                    break
                if not self.waiting and self._worth_dropping(count):
                    self._drop(alive)
                elif self.staggered and count < len(alive):
                    freed = self._free(alive)
            self.executor.go_on(self)
            if freed:
                self._admit(freed, done)
        self._collect(torch.arange(len(self.lane.rows.job), device=self.device))

    def _count(self, alive: Tensor) -> int:
        """How many rows go on; what the chain kept of its members' faults on the device is looked at as well."""
        if self.device.type == "cpu":
            return int(alive.sum())
        count, found = torch.stack((alive.sum(), self.lane.state.faults.amax())).tolist()
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
        self.lane.rows.job.index_fill_(0, over, -1)
        self.stepper.park(over)
        return over.tolist()[: len(self.waiting)]

    def _admit(self, freed: Sequence[int], done: int) -> None:
        """Begin the next jobs in the rows ``freed``."""
        places = [self.waiting.popleft() for _ in freed]
        at, jobs = torch.tensor(freed, device=self.device), [self.jobs[i] for i in places]
        self.lane.put(at, self.lane.fresh(jobs, places))
        self.executor.admit(self, at, *self.stepper.admit(at, jobs))
        self.until = max(self.until, *(done + job.limit for job in jobs))

    def choose(self, logits: Tensor, null: Tensor | None) -> Tensor:
        """Choose a token for every row and write it down, ``[N, V]`` -> ``[N]``; asks the device for nothing."""
        tokens, parents = self.lane.choose(logits, null)
        if parents is not None:
            self.stepper.select(parents)
        return tokens

    def _worth_dropping(self, alive: int) -> bool:
        """A step's time grows with its rows on a CPU; elsewhere only a large share makes up for moving the cache."""
        share = 0.9 if self.device.type == "cpu" else 0.5
        return alive <= share * len(self.lane.rows.job)

    def _drop(self, alive: Tensor) -> None:
        """Hand in what is finished and go on without it."""
        self._collect((~alive).nonzero()[:, 0])
        keep = alive.nonzero()[:, 0]
        self.lane.select(keep)
        self.stepper.select(keep)
        self.executor.keep(self, keep)

    def _collect(self, which: Tensor) -> None:
        self.results.update(self.lane.collect(which))
