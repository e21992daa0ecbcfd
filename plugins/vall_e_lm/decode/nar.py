"""The non-autoregressive levels: each level of all frames at once, from the levels below."""

from __future__ import annotations

from collections.abc import Sequence
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


def level_count(model: BaseModel, max_levels: int | None) -> int:
    """NAR levels to run; None or 0: all that the model has."""
    config = model.config
    most = config.levels - 1 if config.nar_levels is None else min(config.levels - 1, config.nar_levels)
    return most if not max_levels else min(max_levels, most)


@torch.inference_mode()
def generate_nar(
    model: BaseModel,
    utterances: Sequence[Utterance],
    level0: Sequence[Tensor],
    chain: Chain,
    *,
    seed: int,
    max_levels: int | None = None,
    guidance: Guidance | None = None,
    frame_rate: float = 75.0,
    progress: Progress | None = None,
) -> list[Tensor]:
    """Codes ``[T, 1 + levels]`` of every utterance, in the order given, level 0 being what was handed in.

    Args:
        level0: ``[T]`` for each utterance; T may be 0, and 8 frames are 8 frames.
        chain: samplers built for the stage ``"nar"``.
        max_levels: levels to predict; None or 0: all.
    """
    if len(level0) != len(utterances):
        raise UsageError(f"{len(level0)} level-0 sequences were given for {len(utterances)} utterances")
    device = next(model.parameters()).device
    codes = [ids.to(device).long().reshape(-1, 1) for ids in level0]
    levels = level_count(model, max_levels)
    active = guidance if guidance is not None and guidance.active() else None
    spoken = [i for i, item in enumerate(codes) if len(item)]
    chooser = FrameChoice(chain, "nar", seed, [utterances[i].id for i in spoken], frame_rate)
    for level in range(1, levels + 1):
        if spoken:
            given = [codes[i] for i in spoken]
            logits = response_logits(model, Target("nar", level), [utterances[i] for i in spoken], given, active)
            chosen, _ = chooser(logits, level)
            for i, ids in zip(spoken, chosen, strict=True):
                codes[i] = torch.cat((codes[i], ids[:, None]), dim=1)
        if progress is not None:
            progress("nar", level, levels)
    chooser.require()
    return [item if len(item) else item.new_zeros(0, 1 + levels) for item in codes]
