"""The loop that writes sequences token by token: AR codes, phonemes of a transcription, digits of a length.

Rows run side by side and stop at different times. All that a step needs lies on the device in buffers allocated once;
the host asks "is anyone still writing?" at every step on the CPU, where asking is free, and every 16 elsewhere. What a
row does after its end is thrown away, and noise is counted per row, so neither the period nor the neighbours show in
the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..sampling import Step
from .steppers import CachedStepper, Job, Stepper, UncachedStepper
from .types import Progress

if TYPE_CHECKING:
    from ..model import BaseModel, EarlyExit, Target
    from ..sampling import Chain
    from .guidance import Guidance

CHECK_PERIODS = {"cpu": 1}
"""Steps between two looks at who has stopped, by device type."""
DEFAULT_CHECK_PERIOD = 16


@dataclass
class Written:
    """One finished sequence: ``tokens`` ``[L]`` as generated, without start, prefix and stop."""

    tokens: Tensor
    stopped: bool
    steps: int
    log_probability: float
    likeliest: Tensor
    """``[L]`` the model's own first choice (the stop apart) at each place of ``tokens``; empty unless asked for."""
    degenerate: int = 0
    """Steps whose logits the chain had to replace by a fallback (NaN, or nothing left to choose from)."""


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
    check_period: int | None = None
    """None: as the device suggests."""


@dataclass
class _Rows:
    """What the loop itself knows of its rows; the first dimension of every tensor is the row."""

    begin: Tensor  # [N] long: length of the prefix
    count: Tensor  # [N] long: tokens generated, the stop apart
    steps: Tensor  # [N] long
    limit: Tensor  # [N] long
    finished: Tensor  # [N] bool
    stopped: Tensor  # [N] bool: finished by the stop token
    score: Tensor  # [N] float32: log-probability so far
    job: Tensor  # [N] long: place in the list of jobs
    likeliest: Tensor  # [N, L] long, or [N, 0] where nobody asked

    @classmethod
    def start(cls, jobs: Sequence[Job], places: Sequence[int], device: torch.device, *, likeliest: int) -> _Rows:
        def numbers(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        none = numbers([0] * len(jobs))
        return cls(
            begin=numbers([len(job.prefix) for job in jobs]),
            count=none,
            steps=none,
            limit=numbers([job.limit for job in jobs]),
            finished=none.bool(),
            stopped=none.bool(),
            score=none.float(),
            job=numbers(places),
            likeliest=torch.zeros(len(jobs), likeliest, dtype=torch.long, device=device),
        )

    def select(self, rows: Tensor) -> None:
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name)[rows])


@torch.inference_mode()
def write_sequences(
    model: BaseModel, target: Target, jobs: Sequence[Job], chain: Chain, settings: Settings
) -> list[Written]:
    """Write every job's sequence; results in the order of ``jobs``.

    Sequences whose earlier positions move when a token is added (task tokens in a prompt) go without a cache.
    """
    results: dict[int, Written] = {}
    groups: dict[bool, list[int]] = {True: [], False: []}
    for i, job in enumerate(jobs):
        if job.limit <= 0:
            empty = job.prefix[:0]
            results[i] = Written(empty, False, 0, 0.0, empty)
        else:
            cached = settings.cache and model.embed(job.inputs(job.given()), target).incremental
            groups[cached].append(i)
    for cached, members in groups.items():
        if members:
            loop = _Loop(model, target, [jobs[i] for i in members], chain, settings, cached)
            for i, written in zip(members, loop.run(), strict=True):
                results[i] = written
    return [results[i] for i in range(len(jobs))]


class _Loop:
    """One batch from prefill to the last stop.

    With a search, the rows of an utterance lie together, best first, and its first row is the result; it ends when all
    its rows are finished.
    """

    def __init__(
        self, model: BaseModel, target: Target, jobs: Sequence[Job], chain: Chain, settings: Settings, cached: bool
    ) -> None:
        self.settings, self.chain, self.jobs, self.width = settings, chain, jobs, chain.width
        self.stop = model.stop_token(target)
        places = [i for i in range(len(jobs)) for _ in range(self.width)]
        members = [jobs[i] for i in places]
        kind: type[CachedStepper] | type[UncachedStepper] = CachedStepper if cached else UncachedStepper
        self.stepper: Stepper = kind(model, target, jobs, settings.guidance, settings.early_exit)
        self.device = members[0].prefix.device
        self.last = max(job.limit for job in jobs)
        period = settings.check_period
        self.period = CHECK_PERIODS.get(self.device.type, DEFAULT_CHECK_PERIOD) if period is None else period
        self.step = Step.start(
            [job.key for job in members],
            stage=settings.stage,
            seed=settings.seed,
            capacity=max(len(job.prefix) + job.limit for job in jobs),
            stop_token=self.stop,
            frame_rate=settings.frame_rate,
            prefixes=[job.prefix for job in members],
            device=self.device,
        )
        self.rows = _Rows.start(members, places, self.device, likeliest=self.last if settings.keep_likeliest else 0)
        self.state = chain.init(len(members), self.step)
        self.results: dict[int, Written] = {}

    def run(self) -> list[Written]:
        """All steps; the host waits for the device only when it looks at who has stopped."""
        logits, null = self._prefill()
        for done in range(1, self.last + 1):
            tokens = self._step(logits, null)
            if self.settings.progress is not None:
                self.settings.progress(self.settings.stage, done, self.last)
            if done == self.last:
                break
            if done % self.period == 0:
                alive = (~self.rows.finished).view(-1, self.width).any(1).repeat_interleave(self.width)
                count = int(alive.sum())
                if count == 0:
                    break
                if self._worth_dropping(count):
                    tokens = self._drop(alive, tokens)
            logits, null = self.stepper.advance(tokens)
        self._collect(torch.arange(len(self.rows.job), device=self.device))
        return [self.results[i] for i in range(len(self.jobs))]

    def _prefill(self) -> tuple[Tensor, Tensor | None]:
        """One pass over what is given; a search's rows share their utterance's."""
        logits, null = self.stepper.first()
        if self.width == 1:
            return logits, null
        spread = torch.arange(len(logits), device=self.device).repeat_interleave(self.width)
        self.stepper.select(spread)
        return logits[spread], None if null is None else null[spread]

    def _step(self, logits: Tensor, null: Tensor | None) -> Tensor:
        """Choose a token for every row and write it down -> ``[N]``."""
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
        rows.score = rows.score + log_probability.gather(1, tokens[:, None])[:, 0].masked_fill(rows.finished, 0.0)
        if self.settings.keep_likeliest:
            if self.stop is not None:
                log_probability[:, self.stop] = -torch.inf
            rows.likeliest.scatter_(1, rows.count.clamp(max=self.last - 1)[:, None], log_probability.argmax(-1, True))
        rows.count = rows.count + (writing & ~stop)
        rows.steps = rows.steps + writing
        rows.stopped = rows.stopped | stop
        rows.finished = rows.finished | stop | (rows.steps >= rows.limit)
        if finished is not None:
            rows.finished = rows.finished | finished
        return tokens

    def _worth_dropping(self, alive: int) -> bool:
        """A step's time grows with its rows on a CPU; elsewhere only a large share makes up for moving the cache."""
        share = 0.9 if self.device.type == "cpu" else 0.5
        return alive <= share * len(self.rows.job)

    def _drop(self, alive: Tensor, tokens: Tensor) -> Tensor:
        """Hand in what is finished and go on without it -> the tokens of the rows that stay."""
        self._collect((~alive).nonzero()[:, 0])
        keep = alive.nonzero()[:, 0]
        self.rows.select(keep)
        self.step = self.step.select(keep)
        self.state = self.state.select(keep)
        self.stepper.select(keep)
        return tokens[keep]

    def _collect(self, which: Tensor) -> None:
        """Fetch rows ``which`` ``[M]`` (one wait for the device); of a search's rows the first of each utterance."""
        which = which[:: self.width]
        rows, picked = self.rows, which.tolist()
        columns = (rows.job, rows.begin, rows.count, rows.stopped, rows.steps, self.state.degenerate)
        numbers = torch.stack([column[which].long() for column in columns], dim=1).tolist()
        scores = rows.score[which].tolist()
        for row, score, (job, begin, count, stopped, steps, degenerate) in zip(picked, scores, numbers, strict=True):
            self.results[job] = Written(
                tokens=self.step.history[row, begin : begin + count].clone(),
                stopped=bool(stopped),
                steps=steps,
                log_probability=score,
                likeliest=rows.likeliest[row, :count].clone(),
                degenerate=degenerate,
            )
