"""Selectors and searches that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vall_e_core import Choice, Sampler, StateContext, StatelessSelector, Step, take_maximum
from vall_e_core.testing import check_sampler

from .test_wrong_samplers import halve, transform

GONE = float("-inf")


def selector(made: Callable[[], object], **attributes: object) -> type[Sampler]:
    return transform(halve, role="selector", build=lambda self, ctx: made(), **attributes)


class Last(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return torch.full_like(logits[:, 0], logits.shape[1] - 1, dtype=torch.long)


class Torch(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return torch.multinomial(torch.softmax(logits, -1), 1).squeeze(1)


class LastOfEqual(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits.shape[1] - 1 - logits.flip(1).argmax(1)


class Floats(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return take_maximum(logits).float()


class Nothing(StatelessSelector):
    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return torch.full_like(logits, GONE)


class Everything(StatelessSelector):
    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits.clamp(min=-1e4)


class ByPlace(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        place = torch.arange(logits.shape[0], device=logits.device)
        return torch.where(place % 2 == 0, take_maximum(logits), (logits == GONE).to(torch.uint8).argmin(1))


class Hoards(StatelessSelector):
    """Remembers in the object which token it accepted last."""

    def __init__(self) -> None:
        self.last: Tensor | None = None

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> None:
        self.last = tokens + int(step.lengths.shape[0])


@pytest.mark.parametrize(
    ("made", "attributes", "said"),
    [
        (Last, {}, "selects removed tokens"),
        (Torch, {}, "host sync"),
        (Torch, {}, "global generator"),
        (LastOfEqual, {"invariances": frozenset({"deterministic"})}, "lowest id first"),
        (Floats, {}, "int64"),
        (Nothing, {}, "leaves a row empty"),
        (Everything, {}, "brings back"),
        (ByPlace, {}, "other tokens than the batch"),
        (Hoards, {}, "object changes"),
    ],
)
def test_a_wrong_selector_is_caught(made: Callable[[], object], attributes: dict[str, object], said: str) -> None:
    found = check_sampler(selector(made, **attributes))
    assert any(said in problem for problem in found), found


class Swap:
    """A search that gives one utterance's hypotheses to the other."""

    width = 2

    def init(self, utterances: int, ctx: StateContext) -> None:
        return None

    def advance(self, logprobs: Tensor, step: Step, state: None) -> tuple[Choice, None]:
        tokens = logprobs.argmax(-1)
        parents = torch.arange(len(tokens)).flip(0)
        return Choice(tokens, parents, torch.zeros_like(tokens, dtype=torch.bool)), None


def test_a_wrong_search_is_caught() -> None:
    found = check_sampler(transform(halve, role="search", build=lambda self, ctx: Swap()))
    assert any("another utterance" in problem for problem in found), found
