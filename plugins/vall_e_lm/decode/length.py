"""How many frames a response will take: the model's own prediction, by versions that have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessSelector, Step, take_maximum
from vall_e_core.sampling.running import Chain

from ..model import LEN_STOP, Inputs, Model7, Target, pad_blocks
from .loop import Settings
from .sequences import write_sequences
from .steppers import Job
from .types import Progress, Utterance

if TYPE_CHECKING:
    from ..model import BaseModel

MAX_DIGITS = 10


class _Likeliest(StatelessSelector):
    """Takes the likeliest token."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return take_maximum(logits)


@torch.inference_mode()
def predict_length(
    model: BaseModel, utterances: Sequence[Utterance], *, cache: bool = True, progress: Progress | None = None
) -> list[int]:
    """Frames of each utterance's response as the model predicts them, unclamped, in the order given.

    The model writes the number digit by digit, the likeliest each time; no digit at all is 0. (Version 7 tells all
    digits at once.)
    """
    if not utterances:
        return []
    if isinstance(model, Model7):
        return _read_lengths(model, utterances)
    device = next(model.parameters()).device
    chain = Chain([], _Likeliest(), device=device, vocab_size=LEN_STOP + 1, stage="len")
    jobs = [
        Job(
            key=utterance.id,
            inputs=_inputs(utterance),
            limit=MAX_DIGITS,
            start=torch.zeros(1, dtype=torch.long, device=device),
            prefix=torch.zeros(0, dtype=torch.long, device=device),
        )
        for utterance in utterances
    ]
    settings = Settings("len", cache=cache, progress=progress)
    written = write_sequences(model, Target("len"), jobs, chain, settings)
    return [int("".join(map(str, item.tokens.tolist())) or "0") for item in written]


def _read_lengths(model: Model7, utterances: Sequence[Utterance]) -> list[int]:
    target = Target("len")
    found = []
    for utterance in utterances:
        inputs = Inputs(phonemes=utterance.phonemes, language=utterance.language, prompt=utterance.prompt)
        sequence = model.embed(inputs, target)
        hidden = model(
            sequence.embeds[None],
            sequence.positions[None],
            causal=model.causal(target),
            target=target,
            blocks=pad_blocks([sequence]),
        )
        found.append(model.read_length(hidden[0, sequence.output_rows][-1]))
    return [int(frames) for frames in torch.stack(found).tolist()]


def _inputs(utterance: Utterance) -> Callable[[Tensor], Inputs]:
    def inputs(tokens: Tensor) -> Inputs:
        return Inputs(phonemes=utterance.phonemes, language=utterance.language, prompt=utterance.prompt, tokens=tokens)

    return inputs
