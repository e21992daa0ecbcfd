"""The autoregressive pass: level-0 codes of a response, one token a step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core import UsageError

from ..model import Inputs, Target
from .guidance import UNGUIDED, Guidance
from .joint_levels import write_frames
from .loop import Settings
from .refine import refine
from .rows import Written
from .sequences import follow_sequence, write_sequences
from .steppers import Job
from .types import ArResult, Progress, StopReason, Utterance

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, EarlyExit


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


def speech_job(
    utterance: Utterance, limit: int, device: torch.device, frame: tuple[int, ...] = (), *, seed: int = 0
) -> Job:
    """The AR pass's job for one utterance; ``frame`` is the shape of one step's tokens."""
    nothing = torch.zeros((0, *frame), dtype=torch.long, device=device)
    return Job(
        key=utterance.id,
        inputs=speech_inputs(utterance),
        limit=limit,
        start=nothing,
        prefix=nothing if utterance.prefix is None else utterance.prefix.to(device).long(),
        null=speech_inputs(utterance.unconditional()),
        seed=seed,
    )


@dataclass(frozen=True)
class ArPass:
    """How level 0 is written: a chain built for the stage ``"ar"``, and what goes with it.

    ``seed``, with an utterance's id, determines that utterance's noise, whatever else is in the batch. ``cache`` False
    runs the whole sequence at every step; the ids are the same. ``refine_on_stop``: take the model's first choice at
    each place of the finished sequence as a second candidate and keep whichever the model gives the higher
    log-probability. ``batch_size``: utterances at the same time, None for all; where one ends the next one joins.
    """

    chain: Chain
    seed: int
    cache: bool = True
    early_exit: EarlyExit | None = None
    refine_on_stop: bool = False
    guidance: Guidance | None = None
    frame_rate: float = 75.0
    progress: Progress | None = None
    batch_size: int | None = None

    def settings(self, together: bool) -> Settings:
        """What the loop needs; ``together``: all levels of a frame at once. Raises UsageError."""
        active = self.active_guidance()
        within = "unconditional_logits" in self.chain.needs
        if within and active is not None:
            raise UsageError(
                "guidance is asked for twice", cause="--cfg-strength guides, and a member of the chain does",
                try_="leave out one",
            )  # fmt: skip
        if within and together:
            raise UsageError(
                "guidance within a chain isn't for models that write all levels at once", try_="--cfg-strength"
            )
        if together and self.refine_on_stop:
            raise UsageError("refining on stop isn't for models that write all levels at once")
        return Settings(
            "ar",
            cache=self.cache,
            guidance=UNGUIDED if within else active,
            early_exit=self.early_exit,
            keep_likeliest=self.refine_on_stop,
            frame_rate=self.frame_rate,
            progress=self.progress,
            rows=self.batch_size,
        )

    def active_guidance(self) -> Guidance | None:
        """Guidance outside the chain, if it does anything."""
        return self.guidance if self.guidance is not None and self.guidance.active() else None


@torch.inference_mode()
def generate_ar(
    model: BaseModel,
    utterances: Sequence[Utterance],
    how: ArPass,
    *,
    max_steps: int | Sequence[int],
) -> list[ArResult]:
    """Level-0 codes of every utterance, in the order given.

    Args:
        max_steps: tokens that may be generated (a prefix doesn't count), for all utterances or for each.
    """
    if not utterances:
        return []
    target = Target("ar")
    limits = step_limits(max_steps, len(utterances))
    device = next(model.parameters()).device
    together = model.config.version >= 7
    frame = (model.config.levels,) if together else ()
    jobs = [speech_job(u, limit, device, frame, seed=how.seed) for u, limit in zip(utterances, limits, strict=True)]
    written = (write_frames if together else write_sequences)(
        model, target, jobs, how.chain, how.settings(together)
    )
    results = [_result(each) for each in written]
    if how.refine_on_stop:
        likeliest = [each.likeliest for each in written]
        results = refine(model, target, jobs, results, likeliest, how.active_guidance(), how.early_exit)
    return [
        _with_prefix(result, job.prefix) if utterance.keep_prefix else result
        for utterance, job, result in zip(utterances, jobs, results, strict=True)
    ]


@torch.inference_mode()
def stream_ar(
    model: BaseModel, utterance: Utterance, how: ArPass, *, max_steps: int, every: int
) -> Generator[Tensor, None, ArResult]:
    """Level 0 of one utterance as it is written: yields ``[every]`` codes at a time (at the end fewer), returns all.

    The codes are those of `generate_ar`. Raises UsageError for what needs the whole sequence: refining on stop, a
    search, and models that write all levels at once.
    """
    if how.refine_on_stop or how.chain.search is not None or model.config.version >= 7:
        raise UsageError("level 0 can't be handed out while it is written", cause="it is chosen at its end")
    job = speech_job(utterance, max_steps, next(model.parameters()).device, seed=how.seed)
    return _result((yield from follow_sequence(model, Target("ar"), job, how.chain, how.settings(False), every)))


def _result(written: Written) -> ArResult:
    reason: StopReason = "stop" if written.stopped else "length"
    return ArResult(written.tokens, reason, written.steps, written.log_probability, degenerate=written.degenerate)


def _with_prefix(result: ArResult, prefix: Tensor) -> ArResult:
    alternative = None if result.alternative is None else torch.cat((prefix, result.alternative))
    return replace(result, codes=torch.cat((prefix, result.codes)), alternative=alternative)
