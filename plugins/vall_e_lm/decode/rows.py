"""What the loop knows of its rows while they are written, and what is left of one when it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .steppers import Job


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


@dataclass
class Rows:
    """What the loop itself knows of its rows; the first dimension of every tensor is the row. Steps write in place."""

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
    def start(cls, jobs: Sequence[Job], places: Sequence[int], device: torch.device, *, likeliest: int) -> Rows:
        def numbers(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.long, device=device)

        none = numbers([0] * len(jobs))
        return cls(
            begin=numbers([len(job.prefix) for job in jobs]),
            count=none,
            steps=none.clone(),
            limit=numbers([job.limit for job in jobs]),
            finished=none.bool(),
            stopped=none.bool(),
            score=none.float(),
            job=numbers(places),
            likeliest=torch.zeros(len(jobs), likeliest, dtype=torch.long, device=device),
        )

    def select(self, rows: Tensor) -> None:
        """Keep the rows ``[M]``, in that order."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name)[rows])

    def join(self, fresh: Rows) -> None:
        """Let the rows ``fresh`` follow these."""
        for item in fields(self):
            setattr(self, item.name, torch.cat((getattr(self, item.name), getattr(fresh, item.name))))

    def put(self, at: Tensor, fresh: Rows) -> None:
        """Let the rows ``fresh`` take the places ``at`` ``[M]``."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name).index_copy(0, at, getattr(fresh, item.name)))
