"""The autoregressive loop of models that write all levels of a frame in one step (version 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core import UsageError
from vall_e_core.sampling import Step

from .loop import Settings, check_period
from .rows import Written
from .steppers import CachedStepper, Job, Stepper, UncachedStepper

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, Target


@torch.inference_mode()
def write_frames(
    model: BaseModel, target: Target, jobs: Sequence[Job], chain: Chain, settings: Settings
) -> list[Written]:
    """Write every job's frames; results ``[T, Q]`` in the order of ``jobs``.

    Each level is chosen by the chain on its own, with its own history and noise. A frame in which any level is the stop
    token ends its row and is not part of it.
    """
    if chain.search is not None:
        raise UsageError("a search can't choose all levels of a frame at once", try_="leave the beam out")
    if model.recorder is not None:
        model.recorder.decline("all levels of a frame at once have a loop of their own")
    results: dict[int, Written] = {}
    groups: dict[bool, list[int]] = {True: [], False: []}
    for i, job in enumerate(jobs):
        if job.limit <= 0:
            results[i] = Written(job.prefix[:0], False, 0, 0.0, job.prefix[:0])
        else:
            groups[settings.cache and model.embed(job.inputs(job.given()), target).incremental].append(i)
    for cached, members in groups.items():
        size = settings.rows or max(len(members), 1)
        for some in (members[at : at + size] for at in range(0, len(members), size)):
            written = _write(model, target, [jobs[i] for i in some], chain, settings, cached)
            results.update(zip(some, written, strict=True))
    return [results[i] for i in range(len(jobs))]


def _write(
    model: BaseModel, target: Target, jobs: Sequence[Job], chain: Chain, settings: Settings, cached: bool
) -> list[Written]:
    kind: type[CachedStepper] | type[UncachedStepper] = CachedStepper if cached else UncachedStepper
    stepper: Stepper = kind(model, target, jobs, settings.guidance, settings.early_exit)
    device, levels, stop = jobs[0].prefix.device, model.config.levels, model.stop_token(target)
    last, period = max(job.limit for job in jobs), settings.check_period
    if period is None:
        period = check_period(device)
    steps = [
        Step.start(
            [job.key for job in jobs],
            stage=settings.stage,
            seed=[job.seed for job in jobs],
            capacity=max(len(job.prefix) + job.limit for job in jobs),
            level=level,
            stop_token=stop,
            frame_rate=settings.frame_rate,
            prefixes=[job.prefix[:, level] for job in jobs],
            device=device,
        )
        for level in range(levels)
    ]
    states = [chain.init(len(jobs), step) for step in steps]
    limits = torch.tensor([job.limit for job in jobs], device=device)
    count = torch.zeros_like(limits)
    taken = torch.zeros_like(limits)
    stopped = torch.zeros_like(limits, dtype=torch.bool)
    score = torch.zeros(len(jobs), device=device)
    logits, _ = stepper.first()
    for done in range(1, last + 1):
        writing = ~stopped & (taken < limits)
        chosen: list[Tensor] = []
        for level, mine in enumerate(logits.chunk(levels, -1)):
            tokens = chain.choose(mine, steps[level], states[level])
            states[level] = chain.accept(tokens, steps[level], states[level])
            steps[level].append(tokens)
            likelihood = torch.log_softmax(mine, -1).gather(1, tokens[:, None])[:, 0]
            score = score + likelihood.masked_fill(~writing, 0.0)
            chosen.append(tokens)
        frame = torch.stack(chosen, 1)
        ended = torch.zeros_like(writing) if stop is None else writing & frame.eq(stop).any(1)
        taken, count, stopped = taken + writing, count + (writing & ~ended), stopped | ended
        if settings.progress is not None:
            settings.progress(settings.stage, done, last)
        if done == last or (done % period == 0 and bool((stopped | (taken >= limits)).all())):
            break
        logits, _ = stepper.advance(frame)
    for state in states:
        chain.require(state)
    written = zip(count.tolist(), stopped.tolist(), taken.tolist(), score.tolist(), strict=True)
    degenerate = torch.stack([state.degenerate for state in states]).sum(0).tolist()
    history = torch.stack([step.history for step in steps], -1)  # [N, L, Q]
    out = []
    for i, (frames, ended_by_stop, used, value) in enumerate(written):
        begin = len(jobs[i].prefix)
        codes = history[i, begin : begin + frames].clone()
        out.append(Written(codes, ended_by_stop, used, value, codes[:0], degenerate[i]))
    return out
