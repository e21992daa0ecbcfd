"""The values of a trace, as a program or a file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TracedStage:
    """What one stage of a chain left at one step. None stands for what isn't defined there."""

    name: str
    """The sampler's, `model` for what the model said, and the selector's for what it drew from."""
    kept: int
    """Tokens that can still be chosen."""
    entropy: float | None
    """In bits."""
    kl: float | None
    """How far the stage moved the distribution, KL(this ‖ the stage before) in bits. None at the first stage, and
    where a token came back that the stage before had removed."""
    p_stop: float | None
    """The stop token's probability; None where there is no stop token."""
    p: float | None
    """The chosen token's probability."""
    rank: int | None
    """The chosen token's rank, 1 for the most probable one; None where the stage had removed it."""


@dataclass(frozen=True)
class TracedStep:
    """One choice of one utterance: a token of a sequence, or of one frame of a level."""

    stage: str
    """Of decoding: `ar`, `nar`, …"""
    seed: int
    key: int
    """The utterance's (see `utterance_key`)."""
    step: int
    level: int
    frame: int | None
    """None where a step is a token of a sequence."""
    token: int
    stages: tuple[TracedStage, ...]
    details: Mapping[str, float | None]
    """The selector's own numbers, such as mirostat's surprise."""
