"""What declares `compact` without being so, or narrows to other tokens than it keeps, is caught."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import GreedySelector, StateContext, StatelessTransform, Step, highest, take_maximum
from vall_e_core.testing import check_sampler

from .test_wrong_samplers import Apply, halve, transform
from .test_wrong_selectors import selector

GONE = float("-inf")
COMPACT = frozenset({"compact"})


def by_id(logits: Tensor, step: Step) -> Tensor:
    return logits - 0.1 * torch.arange(logits.shape[-1], device=logits.device)


def by_size(logits: Tensor, step: Step) -> Tensor:
    return logits / logits.shape[-1]


def spares_the_stop(logits: Tensor, step: Step) -> Tensor:
    halved = logits / 2
    stop = step.stop_token
    if stop is not None and stop < logits.shape[-1]:
        halved[:, stop] = logits[:, stop]
    return halved


def counts_removed_ones(logits: Tensor, step: Step) -> Tensor:
    return logits / (1 + (logits == GONE).sum(-1, keepdim=True))


@pytest.mark.slow
@pytest.mark.parametrize("work", [by_id, by_size, spares_the_stop, counts_removed_ones])
def test_more_than_what_is_left_is_seen(work: Apply) -> None:
    wrong = transform(work, invariances=COMPACT, removes=False)
    assert any("where the removed tokens aren't there" in each for each in check_sampler(wrong))


@pytest.mark.slow
def test_a_right_one_is_let_through() -> None:
    assert check_sampler(transform(halve, invariances=COMPACT, removes=False)) == []


@pytest.mark.slow
def test_what_changes_logits_must_say_that_it_removes_nothing() -> None:
    """The chain gives the stop token back by its old logit."""
    assert any("removes = False" in each for each in check_sampler(transform(halve, invariances=COMPACT)))


class ByIds(GreedySelector):
    """The lowest id among what is left where there is room for many, else the best."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        best = take_maximum(logits)
        return best if logits.shape[-1] > 200 else (logits == GONE).to(torch.uint8).argmin(1)


class Stateful:
    def init(self, rows: int, ctx: StateContext) -> Tensor:
        return torch.zeros(rows, device=ctx.device)

    def support(self, logits: Tensor, step: Step, state: Tensor) -> Tensor:
        return logits

    def select(self, logits: Tensor, step: Step, state: Tensor) -> Tensor:
        return take_maximum(logits)

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: Tensor) -> Tensor:
        return state


@pytest.mark.slow
def test_selectors() -> None:
    assert check_sampler(selector(GreedySelector, invariances=COMPACT)) == []
    assert any("another token where" in each for each in check_sampler(selector(ByIds, invariances=COMPACT)))
    assert any("keeps a state" in each for each in check_sampler(selector(Stateful, invariances=COMPACT)))


class Narrow(StatelessTransform):
    """Right as it stands."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        ids = highest(logits, min(5, logits.shape[-1]))
        return torch.full_like(logits, GONE).scatter(1, ids, logits.gather(1, ids))

    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return highest(logits, min(5, logits.shape[-1]))


class FewerKept(Narrow):
    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return super().kept(logits, step, state)[:, :2]


class Falling(Narrow):
    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return super().kept(logits, step, state).flip(1)


class Short(Narrow):
    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return super().kept(logits, step, state).int()


class Writes(Narrow):
    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        found = super().kept(logits, step, state)
        logits.scatter_(1, found, 0.0)
        return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "said"),
    [(FewerKept, "other tokens than apply"), (Falling, "don't rise"), (Short, "int64 ids"), (Writes, "in kept()")],
)
def test_narrowing(made: type[Narrow], said: str) -> None:
    def narrowing(kind: type[Narrow]) -> type[Sampler]:
        return transform(halve, build=lambda self, ctx: kind())

    assert check_sampler(narrowing(Narrow)) == []
    assert any(said in each for each in check_sampler(narrowing(made)))
