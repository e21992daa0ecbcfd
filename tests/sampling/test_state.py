"""State of any shape: select, snapshot, merge, copy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states


@dataclass
class Inner:
    mean: Tensor
    name: str = "inner"


class Pair(NamedTuple):
    left: Tensor
    right: Inner | None


@dataclass
class Outer:
    scores: Tensor
    parts: list[Pair]
    by_name: dict[str, Tensor]
    shared: Tensor
    nothing: None = None


def made(rows: int = 4) -> Outer:
    return Outer(
        torch.arange(rows * 3.0).reshape(rows, 3),
        [Pair(torch.arange(rows), Inner(torch.arange(rows) * 10.0)), Pair(torch.ones(rows), None)],
        {"a": torch.arange(rows) + 100},
        torch.tensor(7.0),
    )


def test_select_takes_rows_everywhere() -> None:
    got = states.select(made(), torch.tensor([2, 2, 0]))
    assert got.scores[:, 0].tolist() == [6, 6, 0]
    assert isinstance(got.parts[0], Pair) and got.parts[0].right is not None
    assert got.parts[0].right.mean.tolist() == [20, 20, 0] and got.parts[0].right.name == "inner"
    assert got.by_name["a"].tolist() == [102, 102, 100] and float(got.shared) == 7 and got.nothing is None


def test_a_snapshot_is_out_of_reach() -> None:
    state = made()
    kept = states.snapshot(state)
    for each in states.tensors(state):
        each.zero_()
    assert all(torch.equal(one, other) for one, other in zip(states.tensors(kept), states.tensors(made()), strict=True))


def test_merge_goes_row_by_row() -> None:
    old = made()
    new = states.map_tensors(lambda each: each + 1000, old)
    got = states.merge(torch.tensor([True, False, False, True]), new, old)
    assert got.scores[:, 0].tolist() == [1000, 3, 6, 1009]
    assert got.by_name["a"].tolist() == [1100, 101, 102, 1103]


def test_copy_into_keeps_the_tensors_themselves() -> None:
    target = states.map_tensors(torch.zeros_like, made())
    before = [id(each) for each in states.tensors(target)]
    states.copy_into(target, made())
    assert [id(each) for each in states.tensors(target)] == before
    assert torch.equal(target.scores, made().scores)


def test_no_state_is_a_state() -> None:
    assert states.select(None, torch.tensor([0])) is None
    assert states.tensors(None) == []


def test_states_of_different_shape_do_not_merge() -> None:
    with pytest.raises(ValueError):
        states.merge(torch.tensor([True]), [torch.ones(1)], [torch.ones(1), torch.ones(1)])


def test_history_grows_row_by_row_and_stays_within_its_buffer() -> None:
    step = Step.start(["a", "b"], capacity=3, prefixes=[torch.tensor([7, 8]), None])
    assert step.lengths.tolist() == [2, 0]
    for token in (1, 2, 3):
        step.append(torch.tensor([token, token + 10]))
    assert step.history.tolist() == [[7, 8, 1], [11, 12, 13]]
    assert step.lengths.tolist() == [3, 3] and int(step.index) == 3


def test_a_selected_step_goes_its_own_way() -> None:
    step = Step.start(["a", "b", "c"], capacity=4, seed=5)
    step.append(torch.tensor([1, 2, 3]))
    part = step.select(torch.tensor([2, 2]))
    assert torch.equal(part.uniform("x"), step.uniform("x")[[2, 2]])
    part.append(torch.tensor([8, 9]))
    assert part.history[:, :2].tolist() == [[3, 8], [3, 9]]
    assert step.history[:, 0].tolist() == [1, 2, 3] and int(step.index) == 1 and step.lengths.tolist() == [1, 1, 1]


def test_what_shares_memory_is_read_before_it_is_written() -> None:
    """A new state may be made of the old one's tensors, in other places."""
    state = Pair(torch.tensor([1, 2, 3]), Inner(torch.tensor([4, 5, 6])))
    left, right = state.left, state.right
    assert right is not None
    mean = right.mean
    states.copy_into(state, Pair(right.mean, Inner(state.left.flip(0))))
    assert (left.tolist(), mean.tolist()) == ([4, 5, 6], [3, 2, 1])
    states.copy_into(state, Pair(mean, Inner(left)))
    assert (left.tolist(), mean.tolist()) == ([3, 2, 1], [4, 5, 6])
    states.copy_into(left, left[:1].expand(3))
    assert left.tolist() == [3, 3, 3]


def test_a_structure_is_all_but_the_values() -> None:
    state = made()
    assert states.structure(state) == states.structure(states.map_tensors(torch.zeros_like, state))
    changes = [
        made(5), replace(state, nothing=torch.ones(4)), replace(state, shared=torch.tensor(7)),  # type: ignore[arg-type]
        replace(state, by_name={"b": state.by_name["a"]}), replace(state, parts=state.parts[:1]),
        replace(state, parts=[Pair(state.parts[0].left, Inner(torch.arange(4) * 10.0, "outer")), state.parts[1]]),
    ]  # fmt: skip
    for each in changes:
        assert states.structure(each) != states.structure(state)
