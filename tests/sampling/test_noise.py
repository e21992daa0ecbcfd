"""Noise is a function of seed, utterance, step, level, frame and label, and of nothing else."""

from __future__ import annotations

import math
from itertools import product

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Noise, utterance_key

WORD = (1 << 64) - 1
GOLDEN = [0.7687913775444031, 0.7065983414649963, 0.46554476022720337]


def finalised(word: int) -> int:
    """splitmix64's finaliser, in Python's integers."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


@settings(max_examples=200, deadline=None)
@given(word=st.integers(0, WORD))
def test_tensor_arithmetic_is_the_published_hash(word: int) -> None:
    from vall_e_core.sampling import noise

    signed = word - (1 << 64) if word >> 63 else word
    made = noise._rounds(torch.tensor([signed]))
    assert int(made ^ noise._shifted(made, 31)) & WORD == finalised(word)


def test_numbers_are_the_same_on_every_machine() -> None:
    """Written down once: another device, release or batch that changes them changes everyone's audio."""
    step = Step.start([0, 1, "sentence-3"], seed=0)
    step.index.fill_(7)
    assert step.uniform("select").tolist() == pytest.approx(GOLDEN, abs=0)


def uniforms(seed: int, keys: list[int | str], index: int = 0, label: str = "select", level: int = 0) -> torch.Tensor:
    step = Step.start(keys, seed=seed, level=level)
    step.index.fill_(index)
    return step.uniform(label)


def test_a_row_draws_the_same_in_any_batch_and_order() -> None:
    keys: list[int | str] = ["a", 5, -3, "b", 1 << 40]
    whole = uniforms(0, keys)
    assert torch.equal(uniforms(0, keys[::-1]), whole.flip(0))
    assert torch.equal(torch.cat([uniforms(0, [key]) for key in keys]), whole)


def test_each_ingredient_matters() -> None:
    base: dict[str, int | str] = {"seed": 0, "index": 0, "label": "select", "level": 0}
    others = [("seed", 1), ("seed", -1), ("seed", 1 << 80), ("index", 1), ("label", "xtc"), ("level", 1)]
    changed = [base, *({**base, key: value} for key, value in others)]
    drawn = [tuple(uniforms(keys=[4], **each).tolist()) for each in changed]  # type: ignore[arg-type]
    assert len(set(drawn)) == len(drawn)


def test_frames_of_an_utterance_draw_for_themselves_and_independently_of_its_neighbours() -> None:
    both = Step.parallel(["a", "b"], [40, 25], seed=3, level=2).uniform("select")
    assert len(set(both.tolist())) == 65
    assert torch.equal(Step.parallel(["b"], [25], seed=3, level=2).uniform("select"), both[40:])


@pytest.mark.parametrize("seed", [0, 1, -7, 1 << 63, (1 << 200) + 1])
def test_any_integer_is_a_seed(seed: int) -> None:
    numbers = uniforms(seed, list(range(2000)))
    assert float(numbers.min()) > 0 and float(numbers.max()) < 1


@pytest.mark.slow
def test_uniform_numbers_are_uniform_along_every_axis() -> None:
    """A chi-squared test over 64 cells, and neighbours along keys, steps and labels are uncorrelated."""
    by_key = uniforms(0, list(range(50_000)))
    step = Step(
        "ar", torch.arange(50_000), torch.zeros(50_000, 0, dtype=torch.long), torch.zeros(50_000, dtype=torch.long),
        Noise(0), torch.zeros(50_000, dtype=torch.long),
    )  # fmt: skip
    by_step, by_label = step.uniform("select"), torch.cat([uniforms(0, [1], label=str(i)) for i in range(5_000)])
    for numbers in (by_key, by_step, by_label):
        count = len(numbers)
        cells = torch.histc(numbers, 64, 0, 1)
        assert float(((cells - count / 64) ** 2 / (count / 64)).sum()) < 110  # 63 degrees of freedom: p is about 2e-4
        lagged = torch.corrcoef(torch.stack([numbers[1:], numbers[:-1]]))[0, 1]
        assert abs(float(lagged)) < 4.5 / math.sqrt(count)
    other = torch.corrcoef(torch.stack([by_step, step.uniform("xtc")]))[0, 1]
    assert abs(float(other)) < 4.5 / math.sqrt(50_000)


def test_bounds_are_exact_in_float32() -> None:
    from vall_e_core.sampling import noise

    lowest, highest = 0.5 * 2.0**-noise._BITS, ((1 << noise._BITS) - 0.5) * 2.0**-noise._BITS
    assert 0 < float(torch.tensor(lowest)) == lowest
    assert float(torch.tensor(highest)) == highest < 1


def test_keys_of_text_and_numbers() -> None:
    keys = [utterance_key(each) for each in (0, 1, -1, (1 << 63) + 5, "0", "1", "", "é")]
    assert len(set(keys)) == len(keys)
    assert all(-(1 << 63) <= key < 1 << 63 for key in keys)
    assert utterance_key(17) == 17


def test_no_generator_is_touched() -> None:
    before = torch.random.get_rng_state()
    for seed, key in product((0, 1), ("a", 2)):
        uniforms(seed, [key])
    assert torch.equal(before, torch.random.get_rng_state())


def test_numbers_made_ahead_are_the_same() -> None:
    """On a CPU a step looks up what was made for many steps at once; copies with other rows make their own."""
    step = Step.start(range(5), seed=3)
    for index in (0, 1, 2, 63, 64, 65, 129, 7, 900):
        step.index.fill_(index)
        for label in ("select", "xtc", "select"):
            assert torch.equal(step.uniform(label), Noise.uniform(step.keys, torch.tensor(index), label))
        part = step.select(torch.tensor([4, 1]))
        for _ in range(3):
            assert torch.equal(part.uniform("select"), step.uniform("select")[[4, 1]])
