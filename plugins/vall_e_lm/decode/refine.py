"""Refining on stop: a second candidate out of the model's own first choices, and which of the two is the better.

The candidate takes, at each place of the finished sequence, the token that the model thought likeliest there given
the tokens *sampled* before it (the stop is no choice: the length stays). That isn't yet the probability of the
candidate, so both sequences are run through the model as they are, and their log-probabilities compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..model import Target
from .guidance import Guidance, guide_rows
from .steppers import Batch, Job, output_rows
from .types import ArResult

if TYPE_CHECKING:
    from ..model import BaseModel, EarlyExit


@torch.inference_mode()
def sequence_log_probabilities(
    model: BaseModel,
    target: Target,
    jobs: Sequence[Job],
    tokens: Sequence[Tensor],
    stopped: Sequence[bool],
    guidance: Guidance | None = None,
    early_exit: EarlyExit | None = None,
) -> list[float]:
    """The model's log-probability (natural log, raw logits) of each ``tokens[i]`` ``[L]``, as ``jobs[i]`` goes on.

    Where ``stopped`` is true, the stop token after the last one is counted too. One forward pass for all.
    """
    count = len(jobs)
    whole = [torch.cat((job.given(), ids)) for job, ids in zip(jobs, tokens, strict=True)]
    sequences = [model.embed(job.inputs(ids), target) for job, ids in zip(jobs, whole, strict=True)]
    if guidance is not None:
        sequences += [
            model.embed(job.null(ids), target) for job, ids in zip(jobs, whole, strict=True) if job.null is not None
        ]
    batch = Batch.of(sequences)
    hidden = model(
        batch.embeds, batch.positions, causal=True, lengths=batch.padded, early_exit=early_exit, target=target
    )
    picked, counts = output_rows(hidden, sequences)
    logits = model.logits(picked, target)
    stop = model.stop_token(target)
    scores = []
    for i, (ids, ended, rows) in enumerate(zip(tokens, stopped, counts.tolist()[:count], strict=True)):
        mine = logits[i, :rows]
        if guidance is not None:
            mine = guide_rows(mine, logits[count + i, :rows], guidance)
        wanted = torch.cat((ids, ids.new_tensor([stop]))) if ended and stop is not None else ids
        mine = torch.log_softmax(mine[rows - 1 - len(ids) :], -1)
        scores.append(mine[: len(wanted)].gather(1, wanted[:, None]).sum())
    return torch.stack(scores).tolist() if scores else []


def refine(
    model: BaseModel,
    target: Target,
    jobs: Sequence[Job],
    results: Sequence[ArResult],
    likeliest: Sequence[Tensor],
    guidance: Guidance | None = None,
    early_exit: EarlyExit | None = None,
) -> list[ArResult]:
    """Compare each sampled sequence with the refined one, ``likeliest[i]``; keep the likelier (ties: the sampled)."""
    unlike = [i for i, r in enumerate(results) if not torch.equal(r.codes, likeliest[i])]
    both = [results[i].codes for i in unlike] + [likeliest[i] for i in unlike]
    ended = [results[i].stop_reason == "stop" for i in unlike] * 2
    pair = [jobs[i] for i in unlike] * 2
    scores = sequence_log_probabilities(model, target, pair, both, ended, guidance, early_exit) if unlike else []
    out = [
        replace(r, refined="sampled", alternative=r.codes, alternative_log_probability=r.log_probability)
        for r in results
    ]
    for place, i in enumerate(unlike):
        sampled, refined = scores[place], scores[len(unlike) + place]
        if refined > sampled:
            out[i] = replace(
                results[i],
                codes=likeliest[i],
                log_probability=refined,
                refined="refined",
                alternative=results[i].codes,
                alternative_log_probability=sampled,
            )
        else:
            out[i] = replace(
                results[i],
                log_probability=sampled,
                refined="sampled",
                alternative=likeliest[i],
                alternative_log_probability=refined,
            )
    return out
