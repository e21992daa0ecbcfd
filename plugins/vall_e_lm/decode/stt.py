"""Transcription: codes in, phoneme ids out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..model import PHONEME_BOS, Inputs, Target
from .ar import step_limits
from .loop import Settings
from .parallel import groups
from .sequences import write_sequences
from .steppers import Batch, Job, flat_logits, output_rows
from .types import Progress, SttResult

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, EarlyExit


@torch.inference_mode()
def transcribe(
    model: BaseModel,
    codes: Sequence[Tensor],
    languages: Sequence[int | None],
    chain: Chain,
    *,
    max_steps: int | Sequence[int],
    seed: int = 0,
    ids: Sequence[int | str] | None = None,
    cache: bool = True,
    early_exit: EarlyExit | None = None,
    progress: Progress | None = None,
) -> list[SttResult]:
    """Phoneme ids of each clip, in the order given.

    Args:
        codes: ``[T, Q]`` for each clip; a window that the model can take whole.
        languages: language ids; None leaves the segment out.
        chain: samplers built for the stage ``"stt"``.
        max_steps: phonemes at most, for all clips or for each.
        ids: what keys each clip's noise; None: its place in the list.
    """
    if not codes:
        return []
    device = next(model.parameters()).device
    keys = range(len(codes)) if ids is None else ids
    limits = step_limits(max_steps, len(codes))
    jobs = [
        Job(
            key=key,
            inputs=_inputs(clip.to(device).long(), language),
            limit=limit,
            start=torch.tensor([PHONEME_BOS], device=device),
            prefix=torch.zeros(0, dtype=torch.long, device=device),
            seed=seed,
        )
        for key, clip, language, limit in zip(keys, codes, languages, limits, strict=True)
    ]
    settings = Settings("stt", cache=cache, early_exit=early_exit, progress=progress)
    return [
        SttResult(w.tokens, "stop" if w.stopped else "length", w.steps, w.log_probability)
        for w in write_sequences(model, Target("stt"), jobs, chain, settings)
    ]


@torch.inference_mode()
def foreseen(
    model: BaseModel, codes: Sequence[Tensor], languages: Sequence[int | None], phonemes: Sequence[Tensor]
) -> list[Tensor]:
    """Where the model would itself write the phoneme that comes next, hearing a clip and knowing those before.

    One pass, instead of one for each phoneme: what is missing in a clip isn't foreseen.

    Args:
        codes: ``[T, Q]`` for each clip.
        phonemes: ids ``[L]`` for each, begin and end among them.

    Returns:
        For each clip whether each id but the first is the likeliest, ``[L - 1]``.
    """
    target = Target("stt")
    device = next(model.parameters()).device
    ids = [each.to(device) for each in phonemes]
    found: list[Tensor] = [each.new_zeros(0, dtype=torch.bool) for each in ids]
    sequences = [
        model.embed(_inputs(clip.to(device).long(), language)(each[:-1]), target)
        for clip, language, each in zip(codes, languages, ids, strict=True)
    ]
    for group in groups([len(each.embeds) for each in sequences]):
        members = [sequences[place] for place in group]
        batch = Batch.of(members)
        hidden = model(
            batch.embeds, batch.positions, causal=model.causal(target), lengths=batch.padded, target=target
        )  # fmt: skip
        rows, counts = output_rows(hidden, members)
        likeliest = flat_logits(model, rows, target).argmax(-1)
        for row, (place, count) in enumerate(zip(group, counts.tolist(), strict=True)):
            wanted = ids[place][1:]
            found[place] = likeliest[row, count - len(wanted) : count] == wanted
    return found


def _inputs(clip: Tensor, language: int | None) -> Callable[[Tensor], Inputs]:
    def inputs(tokens: Tensor) -> Inputs:
        return Inputs(language=language, response=clip, tokens=tokens)

    return inputs
