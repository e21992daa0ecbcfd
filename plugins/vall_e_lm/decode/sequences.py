"""Sequences written token by token: many in turn at so many places, or one that is handed out as it grows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states

from .loop import Loop, Settings
from .rows import Written
from .steppers import Job

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, Target


@torch.inference_mode()
def write_sequences(
    model: BaseModel, target: Target, jobs: Sequence[Job], chain: Chain, settings: Settings
) -> list[Written]:
    """Write every job's sequence; results in the order of ``jobs``.

    Sequences whose earlier positions move when a token is added (task tokens in a prompt) go without a cache.
    """
    results: dict[int, Written] = {}
    groups: dict[bool, list[int]] = {True: [], False: []}
    longest = 0
    for i, job in enumerate(jobs):
        if job.limit <= 0:
            empty = job.prefix[:0]
            results[i] = Written(empty, False, 0, 0.0, empty)
        else:
            begun = model.embed(job.inputs(job.given()), target)
            groups[settings.cache and begun.incremental].append(i)
            longest = max(longest, len(begun.embeds))
    for cached, members in groups.items():
        rows = min(settings.rows or len(members), len(members))
        size = len(members) if can_join(chain, settings) else rows
        for at in range(0, len(members), max(size, 1)):
            some = members[at : at + size]
            mine, together = [jobs[i] for i in some], min(rows, len(some))
            loop = Loop(model, target, mine, chain, settings, longest if cached else None, together)
            results.update(zip(some, loop.run(), strict=True))
    return [results[i] for i in range(len(jobs))]


@torch.inference_mode()
def follow_sequence(
    model: BaseModel, target: Target, job: Job, chain: Chain, settings: Settings, every: int
) -> Generator[Tensor, None, Written]:
    """Write one job's sequence: yields the tokens ``[every]`` of so many steps, at the end fewer; returns all of it."""
    if job.limit <= 0:
        return Written(job.prefix[:0], False, 0, 0.0, job.prefix[:0])
    begun = model.embed(job.inputs(job.given()), target)
    longest = len(begun.embeds) if settings.cache and begun.incremental else None
    loop = Loop(model, target, [job], chain, settings, longest, 1)
    begin, sent = len(job.prefix), 0
    for done in loop.steps():
        if settings.progress is not None:
            settings.progress(settings.stage, done, loop.most)
        if done % every == 0 and (count := int(loop.lane.rows.count[0])) > sent:
            yield loop.lane.step.history[0, begin + sent : begin + count].clone()
            sent = count
    written = loop.results[0]
    if len(written.tokens) > sent:
        yield written.tokens[sent:]
    return written


def can_join(chain: Chain, settings: Settings) -> bool:
    """Whether a sequence can take the place of one that has ended, while its neighbors go on.

    Not where rows share something that counts steps: under early exit, or where `joins` says no.
    """
    return settings.early_exit is None and joins(chain)


def joins(chain: Chain) -> bool:
    """Whether rows that this chain serves may come and go, each for itself.

    Not under a search, nor where a sampler's state has parts that belong to all rows.
    """
    if chain.search is not None:
        return False
    state = chain.init(1, Step.start([0], capacity=1))
    return all(each.dim() > 0 for each in states.tensors(state))
