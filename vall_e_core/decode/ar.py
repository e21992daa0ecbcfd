"""The autoregressive pass: level-0 codes of a response, one token a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UsageError
from ..model import Inputs, Target
from .frames import write_frames
from .guidance import UNGUIDED, Guidance
from .loop import Settings, write_sequences
from .refine import refine
from .steppers import Job
from .types import ArResult, Progress, Utterance

if TYPE_CHECKING:
    from ..model import BaseModel, EarlyExit
    from ..sampling import Chain


def step_limits(max_steps: int | Sequence[int], count: int) -> list[int]:
    """One limit for each of ``count`` utterances."""
    limits = [max_steps] * count if isinstance(max_steps, int) else list(max_steps)
    if len(limits) != count:
        raise UsageError(f"{len(limits)} step limits were given for {count} utterances")
    return limits


def speech_inputs(utterance: Utterance) -> Callable[[Tensor], Inputs]:
    """What makes an utterance's model inputs from its response so far."""

    def inputs(response: Tensor) -> Inputs:
        return Inputs(
            phonemes=utterance.phonemes, language=utterance.language, prompt=utterance.prompt, response=response
        )

    return inputs


def speech_job(utterance: Utterance, limit: int, device: torch.device, frame: tuple[int, ...] = ()) -> Job:
    """The AR pass's job for one utterance; ``frame`` is the shape of one step's tokens."""
    nothing = torch.zeros((0, *frame), dtype=torch.long, device=device)
    return Job(
        key=utterance.id,
        inputs=speech_inputs(utterance),
        limit=limit,
        start=nothing,
        prefix=nothing if utterance.prefix is None else utterance.prefix.to(device).long(),
        null=speech_inputs(utterance.unconditional()),
    )


@torch.inference_mode()
def generate_ar(
    model: BaseModel,
    utterances: Sequence[Utterance],
    chain: Chain,
    *,
    max_steps: int | Sequence[int],
    seed: int,
    cache: bool = True,
    early_exit: EarlyExit | None = None,
    refine_on_stop: bool = False,
    guidance: Guidance | None = None,
    frame_rate: float = 75.0,
    progress: Progress | None = None,
) -> list[ArResult]:
    """Level-0 codes of every utterance, in the order given.

    Args:
        chain: samplers built for the stage ``"ar"``.
        max_steps: tokens that may be generated (a prefix doesn't count), for all utterances or for each.
        seed: with an utterance's id it determines that utterance's noise, whatever else is in the batch.
        cache: False runs the whole sequence at every step; the ids are the same.
        refine_on_stop: take the model's first choice at each place of the finished sequence as a second candidate and
            keep whichever the model gives the higher log-probability.
    """
    if not utterances:
        return []
    target = Target("ar")
    limits = step_limits(max_steps, len(utterances))
    device = next(model.parameters()).device
    together = model.config.version >= 7
    frame = (model.config.levels,) if together else ()
    jobs = [speech_job(u, limit, device, frame) for u, limit in zip(utterances, limits, strict=True)]
    active = guidance if guidance is not None and guidance.active() else None
    within = "unconditional_logits" in chain.needs
    if within and active is not None:
        raise UsageError(
            "guidance is asked for twice", cause="--cfg-strength guides, and a member of the chain does",
            try_="leave out one",
        )  # fmt: skip
    if within and together:
        raise UsageError(
            "guidance within a chain isn't for models that write all levels at once", try_="--cfg-strength"
        )
    settings = Settings(
        "ar",
        seed=seed,
        cache=cache,
        guidance=UNGUIDED if within else active,
        early_exit=early_exit,
        keep_likeliest=refine_on_stop,
        frame_rate=frame_rate,
        progress=progress,
    )
    if together and refine_on_stop:
        raise UsageError("refining on stop isn't for models that write all levels at once")
    written = (write_frames if together else write_sequences)(model, target, jobs, chain, settings)
    results = [
        ArResult(w.tokens, "stop" if w.stopped else "length", w.steps, w.log_probability, degenerate=w.degenerate)
        for w in written
    ]
    if refine_on_stop:
        results = refine(model, target, jobs, results, [w.likeliest for w in written], active, early_exit)
    return [
        _with_prefix(result, job.prefix) if utterance.keep_prefix else result
        for utterance, job, result in zip(utterances, jobs, results, strict=True)
    ]


def _with_prefix(result: ArResult, prefix: Tensor) -> ArResult:
    alternative = None if result.alternative is None else torch.cat((prefix, result.alternative))
    return replace(result, codes=torch.cat((prefix, result.codes)), alternative=alternative)
