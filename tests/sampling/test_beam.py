"""`beam` against all sequences there are, against a slow search over lists, and in batches."""

from __future__ import annotations

import math

import pytest
import torch

from vall_e_core import BuildContext
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import NoSync, as_sampler

from .searching import as_model, beam, best_of_all, score, search, table


def chain_of(*specs: str) -> Chain:
    return compile_chain([as_sampler(spec) for spec in specs], "ar").build(BuildContext())


def beam_of(width: int, penalty: float = 1.0, early: bool = False, *before: str) -> Chain:
    return chain_of(*before, f"beam:{width},length-penalty={penalty},early-stop={early}")


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("stop", [None, 2, 0])
@pytest.mark.parametrize("seed", range(5))
def test_wide_enough_it_finds_the_best_of_all_sequences(seed: int, stop: int | None, penalty: float) -> None:
    logits = table(seed, 3)
    (found,), _, _ = search(beam_of(3**4, penalty), [logits], 4, stop)
    expected, best = best_of_all(as_model(logits), 3, 4, stop, penalty)
    assert found == expected and math.isclose(score(as_model(logits), found, penalty), best)


@pytest.mark.slow
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("penalty", [-0.5, 0.0, 1.0, 1.5])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_it_equals_a_slow_search_that_keeps_every_complete_hypothesis(width: int, penalty: float, early: bool) -> None:
    for seed in range(12):
        logits = table(seed, 6, 1.5)
        logits[:, 5] += seed % 3  # the stop token, rare and frequent
        (found,), _, _ = search(beam_of(width, penalty, early), [logits], 12, 5)
        assert found == beam(as_model(logits), width, 12, 5, penalty, early)[0], seed


def test_width_one_is_greedy_and_takes_the_lowest_id_among_equals() -> None:
    for seed in range(10):
        logits = table(seed, 7).round()
        token, expected = -1, []
        while len(expected) < 9 and token != 6:
            token = int(logits[token].argmax())
            expected.append(token)
        assert search(beam_of(1), [logits], 9, 6)[0] == [expected]


def test_a_complete_hypothesis_that_falls_behind_for_a_while_is_not_lost() -> None:
    """After a stop at the first step others look better at the second, and lose at the third."""
    ways = torch.full((4, 3), -9.0)
    ways[-1] = torch.tensor([0.2, -1.0, 0.15])  # the beginning; 2 is the stop token
    ways[0] = torch.tensor([-9.0, 0.0, -9.0])  # 0 is surely followed by 1
    ways[1] = torch.tensor([0.0, 0.0, -9.0])  # after 1 nothing is sure, and there is no stop
    (found,), _, _ = search(beam_of(2, 0.0), [ways], 3, 2)
    assert found == [2]
    (longer,), _, _ = search(beam_of(2, 1.0), [ways], 3, 2)
    assert longer == [0, 1, 0]  # by the mean it has paid off


@pytest.mark.parametrize("early", [False, True])
def test_a_batch_equals_its_utterances_in_any_order(early: bool) -> None:
    models = [table(seed, 9, 1.5) for seed in range(8)]
    limits = [12, 3, 7, 12, 1, 9, 12, 5]
    chain = beam_of(3, 1.0, early)
    whole, _, _ = search(chain, models, 12, 8, limits)
    alone = [search(chain, [model], limit, 8)[0][0] for model, limit in zip(models, limits, strict=True)]
    assert whole == alone
    order = [3, 7, 0, 5, 1, 6, 2, 4]
    moved, _, _ = search(chain, [models[i] for i in order], 12, 8, [limits[i] for i in order])
    assert moved == [whole[i] for i in order]


def test_a_finished_utterance_stays_as_it_is() -> None:
    models = [table(seed, 5) for seed in (1, 2)]
    models[0][:, 4] = 20  # ends at once
    chain = beam_of(3)
    (first, _), state, _ = search(chain, models, 10, 4)
    assert first == [4]
    kept = state.search
    logprobs = torch.log_softmax(torch.randn(6, 5), -1)
    step = Step.start([0, 0, 0, 1, 1, 1], capacity=3, stop_token=4)
    assert chain.search is not None
    choice, after = chain.search.advance(logprobs, step, kept)
    assert choice.parents[:3].tolist() == [0, 1, 2] and bool(choice.finished[:3].all())
    assert torch.equal(after.total[:3], kept.total[:3]) and torch.equal(after.final[:3], kept.final[:3])


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stop", [None, 0])
def test_fewer_tokens_than_hypotheses(size: int, stop: int | None) -> None:
    logits = table(0, size)
    (found,), state, _ = search(beam_of(16), [logits], 3, stop)
    assert found == best_of_all(as_model(logits), size, 3, stop, 1.0)[0]
    assert not bool(state.search.total.isnan().any())


def test_rows_that_cannot_be_drawn_from_end_in_the_fallback() -> None:
    logits = torch.full((6, 5), float("-inf"))
    (found,), state, _ = search(beam_of(3), [logits], 4, 4)
    assert found == [4] and int(state.degenerate[0]) > 0


@pytest.mark.slow
def test_one_step_waits_for_nothing() -> None:
    chain = beam_of(4)
    step = Step.start([0] * 4 + [1] * 4, capacity=4, stop_token=9)
    state = chain.init(8, step)
    logits = torch.randn(8, 10)
    finished = torch.zeros(8, dtype=torch.bool)
    with NoSync():
        processed = chain.process(logits, step, state)
        choice, state = chain.advance(processed, step, state, finished)
        chain.accept(choice.tokens, step.select(choice.parents), state)


@pytest.mark.parametrize("spec", ["beam:4", "beam:4,early-stop=true", "beam:4,length-penalty=0"])
def test_a_stop_token_that_a_filter_left_alone_beside_one_other_ends_nothing(spec: str) -> None:
    """The stop token fills the beam where a filter leaves one other token, and must not complete anything by that."""
    logits = torch.full((6, 6), 0.0)
    logits[:, 1], logits[:, 5] = 8.0, -6.0
    (found,), _, _ = search(chain_of("top-k:1", spec), [logits], 12, 5)
    assert found == [1] * 12
