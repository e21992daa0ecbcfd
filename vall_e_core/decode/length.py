"""How many frames a response will take: the model's own prediction, by versions that have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..model import LEN_STOP, Inputs, Target
from ..sampling import Chain, StatelessSelector, Step, take_maximum
from .loop import Settings, write_sequences
from .steppers import Job
from .types import Progress, Utterance

if TYPE_CHECKING:
    from ..model import Model

MAX_DIGITS = 10


class _Likeliest(StatelessSelector):
    """Takes the likeliest token."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return take_maximum(logits)


@torch.inference_mode()
def predict_length(
    model: Model, utterances: Sequence[Utterance], *, cache: bool = True, progress: Progress | None = None
) -> list[int]:
    """Frames of each utterance's response as the model predicts them, unclamped, in the order given.

    The model writes the number digit by digit, the likeliest each time; no digit at all is 0.
    """
    if not utterances:
        return []
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


def _inputs(utterance: Utterance) -> Callable[[Tensor], Inputs]:
    def inputs(tokens: Tensor) -> Inputs:
        return Inputs(phonemes=utterance.phonemes, language=utterance.language, prompt=utterance.prompt, tokens=tokens)

    return inputs
