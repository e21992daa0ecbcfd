"""A decoding step never asks the device for a value, so that a GPU is not waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vall_e_lm import EarlyExit, Target
from vall_e_lm.model import pad

from .conftest import Make, utterance

ASKING = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique")


class NoQuestions(TorchDispatchMode):
    """Fails on the operations by which a host waits for a device's values."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = func.name().split("::")[1].split(".")[0]
        assert name not in ASKING, f"{func.name()} makes the host wait"
        return func(*args, **(kwargs or {}))


@pytest.mark.slow
@pytest.mark.parametrize("rule", [None, EarlyExit(2, None, None)])
@torch.inference_mode()
def test_prefill_step_and_selection(make: Make, rule: EarlyExit | None) -> None:
    model, target = make(), Target("ar")
    sequences = [model.embed(utterance(i, n), target) for i, n in enumerate((2, 5, 3))]
    embeds, positions, lengths = pad(sequences)
    after = torch.tensor([[s.next_position] for s in sequences])
    token = model.embed_token(torch.tensor([1, 2, 3]), target)[:, None]
    cache = model.new_cache(3, 60)
    order = torch.tensor([2, 0, 1])
    with NoQuestions():
        model(embeds, positions, causal=True, lengths=lengths, cache=cache, early_exit=rule, target=target)
        for step in range(3):
            hidden = model(token, after + step, causal=True, cache=cache, early_exit=rule, target=target)
            model.logits(hidden[:, -1], target)
        cache.select(order)


def test_the_watch_sees_a_question() -> None:
    with pytest.raises(AssertionError, match="makes the host wait"), NoQuestions():
        float(torch.ones(1))
