"""Demasking: a response of known length, written by filling in its masked places a few at a time.

All places are masked at first. Each round the least sure ones are masked again, ever fewer by a cosine schedule, and
filled from the model's logits, which see the places that stay. (The schedule is MaskGIT's, Chang et al. 2022.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core import UsageError

from ..model import Target
from .guidance import Guidance
from .parallel import FrameChoice, response_logits
from .types import Progress, Utterance

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel

DEFAULT_GUIDANCE = Guidance(2.5, 0.75)
DEFAULT_MAX_FRAMES = 500


@dataclass(frozen=True)
class Demasking:
    """How the rounds go."""

    steps: int = 25
    annealed: bool = True
    """Let a sampling temperature fall to nothing over the rounds."""
    score_masked_only: bool = False
    """A place that was filled in an earlier round stays."""
    remask: bool = False
    """Mask a little more than the schedule asks, so that places are looked at again."""
    flatten_scores: bool = False
    """Version 7: every place of a level scores the level's mean."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"demasking needs at least one step, not {self.steps}")

    def progress(self, step: int) -> float:
        """How far round ``step`` is, 0 to 1."""
        return float(torch.linspace(0.0, 1.0, self.steps)[step])

    def masked(self, step: int, frames: int) -> int:
        """Places to mask in round ``step``: ``frames * cos(t pi / 2)``, at least 1, and each round at least 1 fewer."""
        angle = torch.linspace(0.0, 1.0, self.steps)[step] * (math.pi * 0.5)
        share = math.cos(float(angle)) + (0.5 / self.steps if self.remask else 0.0)
        return max(0, min(max(int(share * frames), 1), frames - step))


@torch.inference_mode()
def generate_nar_len(
    model: BaseModel,
    utterances: Sequence[Utterance],
    lengths: Sequence[int],
    chain: Chain,
    *,
    seed: int,
    demasking: Demasking | None = None,
    guidance: Guidance | None = DEFAULT_GUIDANCE,
    max_frames: int | None = DEFAULT_MAX_FRAMES,
    frame_rate: float = 75.0,
    progress: Progress | None = None,
) -> list[Tensor]:
    """Level-0 ids ``[T]`` of every utterance (version 7: all levels ``[T, Q]``), in the order given.

    Args:
        lengths: frames of each response; clamped to 1..``max_frames``.
        chain: samplers built for the stage ``"nar"``.
        guidance: None is none at all.
    """
    if len(lengths) != len(utterances):
        raise UsageError(f"{len(lengths)} lengths were given for {len(utterances)} utterances")
    if not utterances:
        return []
    rule = Demasking() if demasking is None else demasking
    frames = [max(1, n if max_frames is None else min(n, max_frames)) for n in lengths]
    levels = model.config.levels if model.config.version >= 7 else 1
    device = next(model.parameters()).device
    ids = [torch.full((n, levels), model.mask_token, dtype=torch.long, device=device) for n in frames]
    scores = [torch.ones(n, levels, device=device) for n in frames]
    active = guidance if guidance is not None and guidance.active() else None
    choice = FrameChoice(chain, "nar", seed, [u.id for u in utterances], frame_rate)
    for step in range(rule.steps):
        masks = [lowest(s, rule.masked(step, n)) for s, n in zip(scores, frames, strict=True)]
        given = [i.masked_fill(m, model.mask_token) for i, m in zip(ids, masks, strict=True)]
        sharpen = 1.0 - rule.progress(step) if rule.annealed else 1.0
        if levels == 1:
            logits = response_logits(model, Target("nar-len"), utterances, [g[:, 0] for g in given], active)
            by_level = [logits]
        else:
            logits = response_logits(model, Target("nar-len"), utterances, given, active, dims=(1,))
            by_level = [[each[level] for each in logits] for level in range(levels)]
        for level, mine in enumerate(by_level):
            chosen, processed = choice(mine, level, step, sharpen)
            for i, (new, filtered) in enumerate(zip(chosen, processed, strict=True)):
                mask = masks[i][:, level]
                ids[i][:, level] = torch.where(mask, new, given[i][:, level])
                scores[i][:, level] = _sureness(filtered, new, mask, rule, levels)
        if progress is not None:
            progress("nar-len", step + 1, rule.steps)
    choice.require()
    return [each if levels > 1 else each[:, 0] for each in ids]


def lowest(scores: Tensor, count: int) -> Tensor:
    """True at the ``count`` lowest of each column of ``scores`` ``[T, L]``."""
    mask = torch.zeros_like(scores, dtype=torch.bool)
    if count > 0:
        mask.scatter_(0, scores.topk(count, dim=0, largest=False).indices, True)
    return mask


def _sureness(logits: Tensor, chosen: Tensor, mask: Tensor, rule: Demasking, levels: int) -> Tensor:
    """Scores ``[T]``: the probability of the likeliest id (version 7: of the chosen one) under the filtered logits."""
    probability = torch.softmax(logits, -1)
    if levels > 1:
        score = probability.gather(-1, chosen[:, None])[:, 0]
        return score.mean().expand_as(score) if rule.flatten_scores else score
    score = probability.max(-1).values
    return torch.where(mask, score, 1.0) if rule.score_masked_only else score
