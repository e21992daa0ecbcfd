"""Samplers that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext, Sampler, param
from vall_e_core.sampling import StateContext, StatelessTransform, Step
from vall_e_core.testing import NoSync, SyncError, check_sampler, no_transfer

GONE = float("-inf")
Apply = Callable[[Tensor, Step], Tensor]


class Made(StatelessTransform):
    def __init__(self, work: Apply) -> None:
        self.work = work

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return self.work(logits, step)


def transform(work: Apply, **attributes: object) -> type[Sampler]:
    """A sampler class whose transform does `work`."""

    @dataclass(frozen=True)
    class Wrong(Sampler):
        """A sampler for this test."""

        name = "wrong"
        place = "filters"
        strength: float = param(0.5, primary=True, min=0.0, max=1.0, help="how strong")

        def build(self, ctx: BuildContext) -> Made:
            return Made(work)

    for key, value in attributes.items():
        setattr(Wrong, key, value)
    return Wrong


def halve(logits: Tensor, step: Step) -> Tensor:
    return logits / 2


def best_half(logits: Tensor) -> Tensor:
    return logits >= logits.amax(-1, keepdim=True) - 1


def read_on_the_host(logits: Tensor, step: Step) -> Tensor:
    return logits / 2 if logits.amax().item() > -1e9 else logits


def branch_on_a_tensor(logits: Tensor, step: Step) -> Tensor:
    return logits / 2 if (logits > -1e9).any() else logits


def index_by_mask(logits: Tensor, step: Step) -> Tensor:
    made = logits.clone()
    made[logits > 0] /= 2
    return made


def list_on_the_host(logits: Tensor, step: Step) -> Tensor:
    return logits / (2 + 0 * sum(step.lengths.tolist()))


def through_numpy(logits: Tensor, step: Step) -> Tensor:
    return torch.from_numpy(logits.numpy() / 2)


def tensor_elsewhere(logits: Tensor, step: Step) -> Tensor:
    return logits * torch.full((logits.shape[1],), 0.5, device="cpu")


def write_in_place(logits: Tensor, step: Step) -> Tensor:
    return logits.div_(2)


def write_history(logits: Tensor, step: Step) -> Tensor:
    step.lengths.mul_(0)
    return logits


def bring_back(logits: Tensor, step: Step) -> Tensor:
    return logits.clamp(min=-1e4)


def remove_and_rescale(logits: Tensor, step: Step) -> Tensor:
    return torch.where(best_half(logits), logits * 0.9, GONE)


def remove_everything_small(logits: Tensor, step: Step) -> Tensor:
    return torch.where(logits > 2, logits, GONE)


def mean_of_batch(logits: Tensor, step: Step) -> Tensor:
    return logits / (1 + torch.softmax(logits, -1).amax())


def by_place_in_batch(logits: Tensor, step: Step) -> Tensor:
    return logits / (1 + torch.arange(logits.shape[0], device=logits.device).unsqueeze(1))


def not_a_number(logits: Tensor, step: Step) -> Tensor:
    return logits - logits * 0  # -inf * 0


def last_in_buffer(logits: Tensor, step: Step) -> Tensor:
    if step.history.shape[1] == 0:
        return logits
    return logits.scatter_add(1, step.history[:, -1:], torch.full_like(logits[:, :1], -1.0))


def empty_history_fails(logits: Tensor, step: Step) -> Tensor:
    last = step.history.gather(1, (step.lengths - 1).unsqueeze(1))
    return logits.scatter_add(1, last, torch.full_like(logits[:, :1], -1.0))


def fixed_width(logits: Tensor, step: Step) -> Tensor:
    return logits + torch.linspace(0, 1, 1025, device=logits.device)


def ten_best(logits: Tensor, step: Step) -> Tensor:
    return torch.where(logits >= logits.topk(10).values[:, -1:], logits, GONE)


def other_generator(logits: Tensor, step: Step) -> Tensor:
    return logits + torch.rand_like(logits)


def double(logits: Tensor, step: Step) -> Tensor:
    return logits.double()


def upside_down(logits: Tensor, step: Step) -> Tensor:
    return torch.where(logits > GONE, -logits, GONE)


def higher_ids_first(logits: Tensor, step: Step) -> Tensor:
    """Keeps one of several equal ones: the lowest where it is the maximum, else the highest."""
    values, order = logits.sort(dim=-1, descending=True, stable=True)
    kept = values != values.roll(-1, dims=-1)  # the last of those that are equal
    kept[:, 0] = True
    return torch.where(torch.zeros_like(kept).scatter(1, order, kept), logits, GONE)


def sharpen_by_size(logits: Tensor, step: Step) -> Tensor:
    return torch.where(logits > GONE, logits * logits.abs().clamp(max=2), GONE)


class Remembers(StatelessTransform):
    """Keeps in the object what belongs into the state."""

    def __init__(self) -> None:
        self.calls = 0

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        self.calls += 1
        return logits / self.calls


class Forgets:
    """Its state's first dimension isn't the row."""

    def init(self, rows: int, ctx: StateContext) -> Tensor:
        return torch.zeros(3, rows, device=ctx.device)

    def accept(self, tokens: Tensor, step: Step, state: Tensor) -> Tensor:
        return state

    def apply(self, logits: Tensor, step: Step, state: Tensor) -> Tensor:
        return logits - state[0].unsqueeze(1)


class Counts:
    """Writes to the state in apply()."""

    def init(self, rows: int, ctx: StateContext) -> Tensor:
        return torch.zeros(rows, device=ctx.device)

    def accept(self, tokens: Tensor, step: Step, state: Tensor) -> Tensor:
        return state

    def apply(self, logits: Tensor, step: Step, state: Tensor) -> Tensor:
        state.add_(1)
        return logits / state.unsqueeze(1)


class WritesTokens(StatelessTransform):
    """Uses the tokens as scratch space in accept()."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits / 2

    def accept(self, tokens: Tensor, step: Step, state: None) -> None:
        tokens.add_(1)


class WritesHistory(WritesTokens):
    """Does the engine's work in accept()."""

    def accept(self, tokens: Tensor, step: Step, state: None) -> None:
        step.append(tokens)


@pytest.mark.slow
def test_a_right_one_is_let_through() -> None:
    assert check_sampler(transform(halve)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "attributes", "said"),
    [
        (read_on_the_host, {}, "host sync"),
        (branch_on_a_tensor, {}, "host sync"),
        (index_by_mask, {}, "host sync"),
        (list_on_the_host, {}, "host sync"),
        (through_numpy, {}, "host sync"),
        (tensor_elsewhere, {}, "another device"),
        (write_in_place, {}, "writes to the logits"),
        (write_history, {}, "writes to the step"),
        (bring_back, {}, "brings back removed tokens"),
        (remove_and_rescale, {}, "also changes the logits of those it keeps"),
        (remove_everything_small, {}, "leaves a row empty"),
        (mean_of_batch, {}, "a row alone gives other logits"),
        (by_place_in_batch, {}, "permuted rows"),
        (not_a_number, {}, "NaN"),
        (last_in_buffer, {}, "behind the rows' lengths"),
        (empty_history_fails, {}, "raises"),
        (fixed_width, {}, "raises"),
        (ten_best, {}, "raises"),
        (other_generator, {}, "global generator"),
        (double, {}, "float64"),
        (halve, {"is_neutral": lambda self: True}, "neutral, but changes logits"),
        (lambda logits, step: torch.where(best_half(logits), logits, GONE), {"removes": False}, "removes = False"),
        (upside_down, {"invariances": frozenset({"argmax"})}, "argmax invariant, but moves it"),
        (sharpen_by_size, {"invariances": frozenset({"shift"})}, "a constant added"),
        (higher_ids_first, {"invariances": frozenset({"argmax"})}, "among equal logits"),
        (halve, {"stages": frozenset()}, "no stage"),
        (halve, {"__doc__": None}, "no docstring"),
    ],
)
def test_a_wrong_transform_is_caught(work: Apply, attributes: dict[str, Any], said: str) -> None:
    found = check_sampler(transform(work, **attributes))
    assert any(said in problem for problem in found), found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Remembers, "remembers"),
        (Forgets, "rows first"),
        (Counts, "changes the state"),
        (WritesTokens, "writes to the tokens"),
        (WritesHistory, "accept() writes to the step"),
    ],
)
def test_wrong_state_is_caught(made: Callable[[], object], said: str) -> None:
    found = check_sampler(transform(halve, build=lambda self, ctx: made()))
    assert any(said in problem for problem in found), found


@pytest.mark.slow
def test_a_number_brought_from_the_host_is_caught_where_it_is_copied() -> None:
    """`where` copies it to the device at every step, and no captured step can; arithmetic takes it along."""
    number = torch.tensor(-1.0)
    wrong = transform(lambda logits, step: torch.where(logits > 0, logits, number), removes=False)
    assert any("where copies between cpu and meta" in problem for problem in check_sampler(wrong))
    assert check_sampler(transform(lambda logits, step: logits + number, removes=False)) == []


@pytest.mark.slow
def test_what_says_that_it_waits_may_wait() -> None:
    assert check_sampler(transform(read_on_the_host, waits=True)) == []


@pytest.mark.slow
def test_examples_stand_in_for_defaults_that_are_missing() -> None:
    assert check_sampler(transform(halve, examples=({"strength": 0.3},))) == []
    found = check_sampler(transform(mean_of_batch, is_neutral=lambda self: self.strength == 0.3))
    assert not any("0.3" in problem for problem in found)
    found = check_sampler(transform(halve, examples=({"strength": 0.3},), is_neutral=lambda self: self.strength == 0.3))
    assert any("strength=0.3: it is neutral" in problem for problem in found)


@pytest.mark.slow
def test_a_heavy_import_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_sampler.py").write_text(
        textwrap.dedent('''
            from dataclasses import dataclass
            import torch
            from vall_e_core import Sampler, param
            from vall_e_core.sampling import StatelessTransform

            class Same(StatelessTransform):
                def apply(self, logits, step, state):
                    return logits

            @dataclass(frozen=True)
            class Heavy(Sampler):
                """Imports torch where it is declared."""
                name = "heavy"

                def build(self, ctx):
                    return Same()
        ''')
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        found = check_sampler(importlib.import_module("heavy_sampler").Heavy)
    finally:
        sys.modules.pop("heavy_sampler", None)
    assert len(found) == 1 and "importing heavy_sampler imports" in found[0] and "torch" in found[0]


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: torch.masked_select(x, x > 0),
        lambda x: torch.unique(x),
        lambda x: torch.equal(x, x),
        lambda x: torch.multinomial(x.abs() + 1, 1),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_waits_are_seen_by_the_dispatcher(work: Callable[[Tensor], object], inference: bool) -> None:
    with torch.inference_mode(inference), pytest.raises(SyncError), NoSync():
        work(torch.ones(4))


HERE, THERE = torch.ones(3), torch.ones(3, device="meta")


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize(
    "work",
    [
        lambda: HERE.to("meta"),
        lambda: HERE.to(THERE),
        lambda: torch.tensor([1.0, 2.0], device="meta"),
        lambda: THERE.clone().copy_(HERE),
        lambda: torch.where(THERE > 0, THERE, torch.tensor(0.0)),
        lambda: THERE[torch.tensor([0, 2])],
        lambda: THERE.clone().index_put_((torch.tensor([0]),), THERE[:1]),
    ],
)
def test_copies_from_the_host_are_seen(work: Callable[[], object], inference: bool) -> None:
    with torch.inference_mode(inference), pytest.raises(SyncError, match="copies"), no_transfer():
        work()


def test_what_stays_where_it_is_may_be_done() -> None:
    with no_transfer():
        torch.where(THERE > 0, THERE, -1.0)
        (THERE * torch.tensor(2.0)).masked_fill(THERE > 0, 0.0)
        THERE.clone().index_fill_(0, torch.arange(2, device="meta"), 1.0)
        HERE[torch.tensor([0])].to("cpu", torch.float64)


@pytest.mark.slow
def test_a_sampler_is_told_the_size_of_the_vocabulary() -> None:
    class Tables(Made):
        def init(self, rows: int, ctx: StateContext) -> None:
            if ctx.vocab_size < 2:
                raise ValueError("a vocabulary of none")

    right = transform(halve, removes=False, build=lambda self, ctx: Tables(halve))
    assert not [each for each in check_sampler(right) if "raises" in each]


def test_a_forgotten_dataclass_is_caught() -> None:
    class Forgotten(Sampler):
        """A sampler for this test."""

        name = "forgotten"
        strength: float = param(0.5, help="how strong")

        def build(self, ctx: BuildContext) -> Made:
            return Made(halve)

    assert any("lacks @dataclass(frozen=True)" in each for each in check_sampler(Forgotten))
