"""Small random models whose scores are spread, so that differences show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vall_e_lm import Inputs, Model, ModelConfig

Make = Callable[..., Model]

SMALL: dict[str, Any] = {
    "width": 32,
    "heads": 4,
    "layers": 4,
    "levels": 4,
    "audio_tokens": 24,
    "phoneme_tokens": 20,
    "langs": 2,
    "unified_position_ids": False,
}


@pytest.fixture
def make() -> Make:
    """A model of a small configuration, weights enlarged."""

    def build(*, scale: float = 8.0, seed: int = 3, **changes: Any) -> Model:
        model = Model(ModelConfig(**(SMALL | changes)), seed=seed).eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" not in name:
                    parameter.mul_(scale)
        return model

    return build


def utterance(seed: int, frames: int, *, prompt: int = 5, phonemes: int = 6) -> Inputs:
    """Random conditioning with `frames` of level-0 response."""
    stream = torch.Generator().manual_seed(seed)
    return Inputs(
        phonemes=torch.randint(3, 20, (phonemes,), generator=stream),
        language=1,
        prompt=torch.randint(0, 24, (prompt, 4), generator=stream),
        response=torch.randint(0, 24, (frames,), generator=stream),
    )
