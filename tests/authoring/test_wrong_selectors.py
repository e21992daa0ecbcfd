"""Selectors and searches that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import Choice, StateContext, StatelessSelector, Step, recent, take_maximum
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


class WritesInAccept(StatelessSelector):
    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> None:
        logits.zero_()


class CountsUp(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        step.index.add_(1)
        return take_maximum(logits)


class ByValue(StatelessSelector):
    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        lowest = torch.where(logits > GONE, logits, -GONE).argmin(1)
        return torch.where(logits.amax(1) > 9, take_maximum(logits), lowest)


class LooksAgain(StatelessSelector):
    """Takes another token than the last one, even where only the stop token is left."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        tokens = take_maximum(logits)
        ids, valid = recent(step, 1, logits.shape[1])
        others = logits.scatter(1, ids, torch.where(valid, GONE, logits.gather(1, ids)))
        other = torch.where(others.amax(1) > GONE, take_maximum(others), tokens)
        return torch.where(step.lengths > 0, other, tokens)


class Weighs(StatelessSelector):
    """Draws well, but a search would take the stop token for what is left."""

    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits - logits.clamp(min=-30.0)


@pytest.mark.parametrize(
    ("made", "attributes", "said"),
    [
        (WritesInAccept, {}, "accept() writes to the logits"),
        (CountsUp, {}, "writes to the step"),
        (ByValue, {"invariances": frozenset({"shift"})}, "a constant added"),
        (Last, {}, "selects removed tokens"),
        (Torch, {}, "host sync"),
        (Torch, {}, "global generator"),
        (LastOfEqual, {"invariances": frozenset({"deterministic"})}, "lowest id first"),
        (Floats, {}, "int64"),
        (Nothing, {}, "leaves a row empty"),
        (Everything, {}, "brings back"),
        (ByPlace, {}, "other tokens than the batch"),
        (Hoards, {}, "object changes"),
        (LooksAgain, {}, "improbable stop token where a filter left it little else"),
        (Weighs, {}, "improbable stop token where a filter left it little else"),
    ],
)
def test_a_wrong_selector_is_caught(made: Callable[[], object], attributes: dict[str, object], said: str) -> None:
    found = check_sampler(selector(made, **attributes))
    assert any(said in problem for problem in found), found


class Follow:
    """A right search: the best token of each hypothesis, and a count as its state."""

    width = 2

    def init(self, utterances: int, ctx: StateContext) -> Tensor:
        return torch.zeros(utterances * self.width, dtype=torch.long, device=ctx.device)

    def advance(self, logprobs: Tensor, step: Step, state: Tensor) -> tuple[Choice, Tensor]:
        return self.made(logprobs, step, state), state + 1

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        rows = torch.arange(logprobs.shape[0], device=logprobs.device)
        return Choice(take_maximum(logprobs), rows, torch.zeros_like(rows, dtype=torch.bool))


class Swap(Follow):
    """Gives one utterance's hypotheses to the other."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right._replace(parents=right.parents.flip(0))


class Narrow(Follow):
    """One token for each utterance."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right._replace(tokens=right.tokens[::2])


class Flat(Follow):
    """Ids of the flattened candidates instead of the vocabulary."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right._replace(tokens=right.tokens + right.parents % 2 * logprobs.shape[1])


class Scribbles(Follow):
    """Writes to what it is given."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        logprobs.scatter_(1, right.tokens.unsqueeze(1), GONE)
        return right


class Steps(Follow):
    """Appends the tokens itself."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        step.index.add_(1)
        return super().made(logprobs, step, state)


class Counts(Follow):
    """Keeps in the object what belongs into the state."""

    def __init__(self) -> None:
        self.calls = 0

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        self.calls += 1
        right = super().made(logprobs, step, state)
        return right._replace(tokens=(right.tokens + self.calls) % logprobs.shape[1])


class OneState(Follow):
    """One number for each utterance, which no engine can select by row."""

    def init(self, utterances: int, ctx: StateContext) -> Tensor:
        return torch.zeros(utterances, dtype=torch.long, device=ctx.device)


class First(Follow):
    """The first utterance decides for all."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right._replace(tokens=right.tokens[:1].expand_as(right.tokens).contiguous())


class Draws(Follow):
    """Takes noise from elsewhere."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        return super().made(logprobs + torch.randn_like(logprobs), step, state)


class Zero(Follow):
    """Never looks whether a token was removed."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right._replace(tokens=right.tokens * 0)


class Stops(Follow):
    """Asks the host whether all is over."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        return right if not right.finished.all() else right._replace(tokens=right.tokens * 0)


class Fills(Follow):
    """What is second best of a hypothesis fills the next row, and a stop token there ends the utterance."""

    def made(self, logprobs: Tensor, step: Step, state: Tensor) -> Choice:
        right = super().made(logprobs, step, state)
        if step.stop_token is None:
            return right
        second = logprobs.scatter(1, right.tokens.unsqueeze(1), GONE).argmax(1)
        over = (second == step.stop_token).view(-1, self.width).any(1).repeat_interleave(self.width)
        return right._replace(finished=over)


def test_a_right_search_is_let_through() -> None:
    assert check_sampler(transform(halve, role="search", build=lambda self, ctx: Follow())) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Swap, "another utterance"),
        (Narrow, "other shapes"),
        (Flat, "ids that don't exist"),
        (Scribbles, "writes to the log-probabilities"),
        (Steps, "writes to the step"),
        (Counts, "object changes"),
        (Counts, "advanced twice"),
        (OneState, "rows first"),
        (First, "otherwise than in the batch"),
        (Draws, "global generator"),
        (Zero, "removed tokens"),
        (Stops, "host sync"),
        (Fills, "improbable stop token where a filter left it little else"),
    ],
)
def test_a_wrong_search_is_caught(made: Callable[[], object], said: str) -> None:
    found = check_sampler(transform(halve, role="search", build=lambda self, ctx: made()))
    assert any(said in problem for problem in found), found
