"""The protocols of a chain's members, and bases for members without state.

Drawing and accepting are separate, so that a search, a replay or a speculative step can impose the token. An object
never changes during a run: all that changes is in the state, which the engine owns (see `state`).

In `apply`, `support`, `select` and `advance` nothing may wait for the device: no `.item()`, no `if tensor`, no
`nonzero`; shapes are static. They never write to the logits they are given; the chain may write to what they return.
"""
# ruff: noqa: ANN401 - each member's state is of its own type

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from .drawing import Array, draw, draw_row, take_maximum
from .step import Step


@dataclass(frozen=True)
class StateContext:
    """What `init` may need to allocate state."""

    device: torch.device
    vocab_size: int
    capacity: int
    """The longest history, L."""
    stage: str = "ar"
    stop_token: int | None = None
    frame_rate: float = 75.0


@runtime_checkable
class Transform(Protocol):
    """Penalties, filters and temperatures: logits in, logits out."""

    def init(self, rows: int, ctx: StateContext) -> Any:
        """State of `rows` rows, or None."""
        ...

    def apply(self, logits: Tensor, step: Step, state: Any) -> Tensor:
        """Logits [N, V] float32, finite or -inf (removed) -> [N, V]."""
        ...

    def accept(self, tokens: Tensor, step: Step, state: Any) -> Any:
        """The state after tokens [N] were chosen; they are not yet in `step.history`."""
        ...


@runtime_checkable
class Narrowing(Protocol):
    """A transform that keeps the same number of tokens in every row and changes none of them (`top-k`).

    On a CPU the chain calls `kept` instead of `apply`, and shows what is left to later `compact` members as [N, K]
    logits.
    """

    def kept(self, logits: Tensor, step: Step, state: Any) -> Tensor:
        """The ids [N, K] int64, in rising order, of the tokens of logits [N, V] that `apply` would keep; K is the same
        for the same V. Removed tokens may be among them."""
        ...


@runtime_checkable
class RowTransform(Protocol):
    """A transform that can also work on a single row as a numpy array, where a call costs a third of torch's.

    On a CPU the chain then asks it instead of `apply` (and `kept_row` instead of `kept`, if there is one) at batch 1.
    """

    def apply_row(self, logits: Array, step: Step, state: Any) -> Array:
        """What `apply` does with these logits [1, V]: [V] float32 -> [V], an array of its own or the one given."""
        ...


@runtime_checkable
class Selector(Protocol):
    """Chooses the token. `select_row(logits [V], step, state) -> int`, if it has one, is asked as `apply_row` is."""

    def init(self, rows: int, ctx: StateContext) -> Any:
        """State of `rows` rows, or None."""
        ...

    def support(self, logits: Tensor, step: Step, state: Any) -> Tensor:
        """Only its truncation, [N, V] -> [N, V]; a Search builds on it."""
        ...

    def select(self, logits: Tensor, step: Step, state: Any) -> Tensor:
        """The tokens [N] int64. `logits` is what the chain made, before `support`."""
        ...

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: Any) -> Any:
        """The state after tokens [N], drawn or imposed, were chosen from `logits`."""
        ...


class Choice(NamedTuple):
    """The decision of a search: tokens [N], the rows [N] they continue, and which rows [N] are finished."""

    tokens: Tensor
    parents: Tensor
    finished: Tensor


@runtime_checkable
class Search(Protocol):
    """Keeps several hypotheses of each utterance; rows `u * width … (u + 1) * width - 1` belong to utterance u."""

    width: int

    def init(self, utterances: int, ctx: StateContext) -> Any:
        """State of `utterances * width` rows."""
        ...

    def advance(self, logprobs: Tensor, step: Step, state: Any) -> tuple[Choice, Any]:
        """Log-probabilities [N, V] -> the choice, and the state of the rows after it."""
        ...


@runtime_checkable
class Detailed(Protocol):
    """A selector that has numbers of its own to show in a trace."""

    def details(self, logits: Tensor, tokens: Tensor, step: Step, state: Any) -> dict[str, Tensor]:
        """Numbers [N] by name, of the step in which tokens [N] were chosen from logits [N, V]."""
        ...


class Trace(Protocol):
    """Watches a chain. Nothing is computed for it unless one is given; nothing in it may wait for the device."""

    def begin(self, logits: Tensor, step: Step) -> None:
        """A step begins: what the model said, [N, V] float32, without NaN and +inf."""
        ...

    def stage(self, name: str, before: Tensor, after: Tensor, step: Step) -> None:
        """A stage turned `before` [N, V] into `after` [N, V]. The chain may write to `after` when this has returned."""
        ...

    def choice(
        self, logits: Tensor, tokens: Tensor, step: Step, parents: Tensor | None, details: Mapping[str, Tensor]
    ) -> None:
        """Tokens [N] were chosen from `logits` [N, V], which is all that the selector takes into account.

        A search's tokens continue the rows `parents` [N]. `details` are the selector's own numbers, [N] each.
        """
        ...


class StatelessTransform:
    """Base of a transform without state: override `apply`."""

    def init(self, rows: int, ctx: StateContext) -> None:
        """No state."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> [N, V]."""
        raise NotImplementedError

    def accept(self, tokens: Tensor, step: Step, state: None) -> None:
        """No state."""


class StatelessSelector:
    """Base of a selector without state. By default it draws from the softmax of the logits."""

    def init(self, rows: int, ctx: StateContext) -> None:
        """No state."""

    def support(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """No truncation of its own."""
        return logits

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Draw tokens [N] from the softmax of logits [N, V], with the step's own noise."""
        return draw(logits, step.uniform("select"))

    def select_row(self, logits: Array, step: Step, state: None) -> int:
        """The same for one row [V]."""
        return draw_row(logits, step.uniform("select").tolist()[0])

    def accept(self, logits: Tensor, tokens: Tensor, step: Step, state: None) -> None:
        """No state."""


class GreedySelector(StatelessSelector):
    """Takes the most probable token, the lowest id among ties."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        return take_maximum(logits)

    def select_row(self, logits: Array, step: Step, state: None) -> int:
        """The same for one row [V]."""
        return int(logits.argmax())
