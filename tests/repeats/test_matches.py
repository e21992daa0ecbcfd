"""Where a history repeats itself, against a search from scratch at every step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vall_e_core.sampling import StateContext, Step
from vall_e_repeats import continuations, extend_matches, no_matches

ROOM, VOCAB = 24, 4
Histories = list[list[int]]


def searched(history: list[int], breakers: frozenset[int]) -> list[int]:
    """For each place the number of tokens ending there that equal those at the end; a breaker ends all matches."""
    found = []
    for place in range(len(history)):
        length = 0
        while length <= place and history[place - length] == history[-1 - length] not in breakers:
            length += 1
        found.append(length)
    return found


def written(histories: Histories, breakers: frozenset[int] = frozenset()) -> tuple[torch.Tensor, Step]:
    """The matches after histories of one length, token by token."""
    rows = len(histories)
    step = Step.start(range(rows), capacity=ROOM)
    matches = no_matches(rows, StateContext(torch.device("cpu"), VOCAB, ROOM))
    for column in zip(*histories, strict=True):
        tokens = torch.tensor(column)
        ends = torch.tensor([each in breakers for each in column])
        matches = extend_matches(matches, tokens, step, ends if breakers else None)
        step.append(tokens)
    return matches, step


def histories(rows: int) -> st.SearchStrategy[Histories]:
    return st.integers(1, ROOM).flatmap(
        lambda size: st.lists(
            st.lists(st.integers(0, VOCAB - 1), min_size=size, max_size=size), min_size=rows, max_size=rows
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 3])
@given(data=st.data())
def test_matches_are_what_a_search_finds(rows: int, data: st.DataObject) -> None:
    given_histories = data.draw(histories(rows))
    breakers = data.draw(st.sampled_from([frozenset(), frozenset({0})]))
    matches, _ = written(given_histories, breakers)
    for row, history in zip(matches.tolist(), given_histories, strict=True):
        assert row[: len(history) - 1] == searched(history, breakers)[:-1]


@pytest.mark.parametrize("rows", [1, 3])
def test_what_followed_an_earlier_place_comes_with_the_length_of_its_match(rows: int) -> None:
    matches, step = written([[1, 2, 3, 1, 2]] * rows)
    ids, lengths = continuations(matches, step, VOCAB)
    assert [(token, length) for token, length in zip(ids[0].tolist(), lengths[0].tolist(), strict=True) if length] == [
        (3, 2)
    ]


def test_an_id_beyond_the_vocabulary_counts_for_nothing() -> None:
    matches, step = written([[1, 3, 1]])
    ids, lengths = continuations(matches, step, 3)
    assert int(ids.max()) < 3 and int(lengths.max()) == 0
