"""What decoding is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from vall_e_core import UsageError

Prompt = Sequence["Tensor | str"] | Tensor
"""Codes ``[T, Q]``, or a list of such codes and task tokens."""

Progress = Callable[[str, int, int], None]
"""Called between steps with (stage, steps done, steps at most); what it raises ends the run."""

StopReason = Literal["stop", "length"]

NULL_PHONEMES = (1, 2)
"""The phoneme ids (begin, end) of the sequence that guidance takes as unconditional."""


@dataclass(frozen=True)
class Utterance:
    """One text to be spoken.

    ``id`` keys the noise: the same id, seed and settings give the same tokens in any batch. ``phonemes`` is ``[P]``
    with begin and end ids; ``prompt`` None leaves the segment out. ``prefix`` ``[T]`` holds the level-0 ids (version 7:
    ``[T, Q]``) that the response starts with; they are handed back only with ``keep_prefix``.
    """

    id: int | str
    phonemes: Tensor | None = None
    language: int | None = None
    prompt: Prompt | None = None
    prefix: Tensor | None = None
    keep_prefix: bool = False

    def unconditional(self) -> Utterance:
        """The same utterance as guidance's null sequence: no text, no prompt."""
        device = None if self.phonemes is None else self.phonemes.device
        return replace(self, phonemes=torch.tensor(NULL_PHONEMES, device=device), prompt=None)


def continue_prompt(utterance: Utterance, *, all_levels: bool = False) -> Utterance:
    """Make the prompt the start of the response (AR only): the prompt stays as an empty segment.

    The prompt's transcript must lead the text. The NAR levels take the original utterance. ``all_levels``: for models
    that write all levels at once.
    """
    prompt = utterance.prompt
    if not isinstance(prompt, Tensor) or prompt.shape[0] == 0:
        raise UsageError("the reference can't start the response: there are no codes, or task tokens among them")
    return replace(utterance, prompt=prompt[:0], prefix=prompt if all_levels else prompt[:, 0], keep_prefix=False)


def start_with(utterance: Utterance, code: int, frames: int) -> Utterance:
    """Start the response with ``frames`` frames of one level-0 code (silence, say); they stay in the result."""
    device = None if utterance.phonemes is None else utterance.phonemes.device
    prefix = torch.full((frames,), code, dtype=torch.long, device=device)
    return replace(utterance, prefix=prefix, keep_prefix=True)


@dataclass(frozen=True)
class ArResult:
    """What the autoregressive pass made of one utterance.

    ``codes`` ``[T]`` (version 7: ``[T, Q]``) without the stop token; ``log_probability`` is the model's own (natural
    log, raw logits, the stop token included) of ``codes``; ``refined`` says which sequence was kept where refining was
    asked for, and ``alternative`` is the other one.
    """

    codes: Tensor
    stop_reason: StopReason
    steps: int
    log_probability: float
    refined: Literal["sampled", "refined"] | None = None
    alternative: Tensor | None = None
    alternative_log_probability: float | None = None
    degenerate: int = 0
    """Steps whose logits held NaN or +inf, or left nothing to choose from, and were replaced by a fallback."""


@dataclass(frozen=True)
class SttResult:
    """A transcription: phoneme ids ``[L]`` without the begin and end ids."""

    tokens: Tensor
    stop_reason: StopReason
    steps: int
    log_probability: float
