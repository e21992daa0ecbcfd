"""Rows that one chain serves: what they have written so far, and how the next token of each is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states

from .rows import Rows, Written
from .steppers import Job

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain, ChainState


@dataclass(frozen=True)
class LaneSettings:
    """What is the same for all rows of a lane."""

    stage: str
    stop: int | None
    device: torch.device
    capacity: int
    """Tokens that the longest history may hold, prefix included."""
    frame_rate: float = 75.0
    likeliest: int = 0
    """Places for the model's own first choices; 0 keeps none."""


@dataclass
class Records:
    """Everything that a lane keeps of some rows; the first dimension of every tensor is the row."""

    step: Step
    rows: Rows
    state: ChainState


class Lane:
    """A chain and its rows.

    With a search, the rows of an utterance lie together, best first, and its first row is the result; it ends when all
    its rows are finished.
    """

    def __init__(self, chain: Chain, settings: LaneSettings) -> None:
        self.chain, self.settings = chain, settings
        self.step: Step
        self.rows: Rows
        self.state: ChainState

    def fresh(self, jobs: Sequence[Job], numbers: Sequence[int]) -> Records:
        """The beginnings of `jobs`, `width` rows for each; `numbers` are what their results are known by."""
        each = [(job, number) for job, number in zip(jobs, numbers, strict=True) for _ in range(self.chain.width)]
        members = [job for job, _ in each]
        settings = self.settings
        step = Step.start(
            [job.key for job in members],
            stage=settings.stage,
            seed=[job.seed for job in members],
            capacity=settings.capacity,
            stop_token=settings.stop,
            frame_rate=settings.frame_rate,
            prefixes=[job.prefix for job in members],
            device=settings.device,
        )
        rows = Rows.start(members, [number for _, number in each], settings.device, likeliest=settings.likeliest)
        return Records(step, rows, self.chain.init(len(members), step))

    def begin(self, records: Records) -> None:
        """These are all rows."""
        self.step, self.rows, self.state = records.step, records.rows, records.state

    def put(self, at: Tensor, records: Records) -> None:
        """Let others take the places of the rows `at` [M]."""
        self.step.put(at, records.step)
        self.rows.put(at, records.rows)
        self.state = states.put(replace(self.state, logits=None), at, records.state)

    def join(self, records: Records) -> None:
        """Let others follow the rows that there are."""
        mine, others = (
            replace(each, index=each.index.expand(len(each.rows)), unconditional_logits=None)  # each from its own start
            for each in (self.step, records.step)
        )
        self.step = states.join(mine, others)
        self.rows.join(records.rows)
        self.state = states.join(replace(self.state, logits=None), records.state)

    def select(self, rows: Tensor) -> None:
        """Keep the rows [M]."""
        self.rows.select(rows)
        self.step = self.step.select(rows)
        self.state = self.state.select(rows)

    def choose(self, logits: Tensor, null: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Choose a token for every row and write it down; asks the device for nothing.

        Returns:
            The tokens [N], and under a search each row's parent [N].
        """
        self.step.unconditional_logits = null
        log_probability = torch.log_softmax(logits, -1)
        finished: Tensor | None = None
        parents: Tensor | None = None
        if self.chain.search is None:
            tokens = self.chain.choose(logits, self.step, self.state)
        else:
            processed = self.chain.process(logits, self.step, self.state)
            choice, self.state = self.chain.advance(processed, self.step, self.state, self.rows.finished)
            tokens, parents, finished = choice
            log_probability = log_probability[parents]
            self.step = self.step.select(parents)
            self.rows.select(parents)
        self.state = self.chain.accept(tokens, self.step, self.state)
        tokens = self._write(tokens, log_probability, finished)
        self.step.append(tokens)
        return tokens, parents

    def _write(self, tokens: Tensor, log_probability: Tensor, finished: Tensor | None) -> Tensor:
        """Count and note the tokens; rows that had finished go on with token 0, which nobody reads."""
        rows, stop_token, width = self.rows, self.settings.stop, self.settings.likeliest
        writing = ~rows.finished
        tokens = tokens.masked_fill(rows.finished, 0)
        stop = torch.zeros_like(writing) if stop_token is None else writing & (tokens == stop_token)
        rows.score.add_(log_probability.gather(1, tokens[:, None])[:, 0].masked_fill_(rows.finished, 0.0))
        if width:
            if stop_token is not None:
                log_probability[:, stop_token] = -torch.inf
            rows.likeliest.scatter_(1, rows.count.clamp(max=width - 1)[:, None], log_probability.argmax(-1, True))
        rows.count.add_(writing & ~stop)
        rows.steps.add_(writing)
        rows.stopped.logical_or_(stop)
        rows.finished.logical_or_(stop).logical_or_(rows.steps >= rows.limit)
        if finished is not None:
            rows.finished.logical_or_(finished)
        return tokens

    def collect(self, which: Tensor) -> dict[int, Written]:
        """Fetch rows `which` [M] by their numbers, but for those without one; of a search's rows the first of each
        utterance. Waits for the device, once."""
        which = which[:: self.chain.width]
        rows, picked = self.rows, which.tolist()
        columns = (rows.job, rows.begin, rows.count, rows.stopped, rows.steps, self.state.degenerate)
        numbers = torch.stack([column[which].long() for column in columns], dim=1).tolist()
        scores = rows.score[which].tolist()
        return {
            job: Written(
                tokens=self.step.history[row, begin : begin + count].clone(),
                stopped=bool(stopped),
                steps=steps,
                log_probability=score,
                likeliest=rows.likeliest[row, :count].clone(),
                degenerate=degenerate,
            )
            for row, score, (job, begin, count, stopped, steps, degenerate) in zip(picked, scores, numbers, strict=True)
            if job >= 0
        }
