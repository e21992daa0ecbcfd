"""Early exit leaves where the rule says, and a cached run is the uncached one."""

from __future__ import annotations

import math

import pytest
import torch

from vall_e_lm import EarlyExit, Inputs, Model, Target
from vall_e_lm.model import entropy_and_varentropy, pad

from .conftest import Make, utterance

AR = Target("ar")


def test_entropy_and_varentropy_of_known_distributions() -> None:
    uniform = torch.zeros(2, 8)
    entropy, varentropy = entropy_and_varentropy(uniform)
    torch.testing.assert_close(entropy, torch.full((2,), 3.0))
    torch.testing.assert_close(varentropy, torch.zeros(2), atol=1e-5, rtol=0)
    p = torch.tensor([0.5, 0.25, 0.25])
    entropy, varentropy = entropy_and_varentropy(p.log())
    assert float(entropy) == pytest.approx(1.5, abs=1e-5)
    assert float(varentropy) == pytest.approx(0.25, abs=1e-5)
    banned, _ = entropy_and_varentropy(torch.tensor([0.0, -math.inf]))
    assert not math.isinf(float(banned))


def by_hand(model: Model, inputs: Inputs, rule: EarlyExit) -> tuple[torch.Tensor, int]:
    """The rule, written out for one utterance: normed states [S, D] and the last layer that ran."""
    sequence = model.embed(inputs, AR)
    embeds, positions = sequence.embeds[None], sequence.positions[None]
    attend = model.model.attend(embeds, positions, causal=True)
    x, layers = embeds, len(model.model.layers)
    for i, layer in enumerate(model.model.layers):
        x = layer(x, attend, i)
        if i < layers // 2:
            continue
        if i >= rule.exit_layer:
            break
        entropy, varentropy = (m.mean() for m in entropy_and_varentropy(model.logits(x, AR)))
        if rule.measures and entropy <= rule.entropy_threshold and varentropy <= rule.varentropy_threshold:
            break
    return model.model.norm(x)[0], i


def middle_rule(model: Model, rows: list[Inputs], last: int) -> EarlyExit:
    """Thresholds in the middle of what these rows' layers measure, so that some leave early and some don't."""
    seen = []
    for inputs in rows:
        sequence = model.embed(inputs, AR)
        x, attend = sequence.embeds[None], None
        attend = model.model.attend(x, sequence.positions[None], causal=True)
        for i, layer in enumerate(model.model.layers):
            x = layer(x, attend, i)
            if i >= len(model.model.layers) // 2:
                seen.append([float(m.mean()) for m in entropy_and_varentropy(model.logits(x, AR))])
    ordered = torch.tensor(seen)[:, 0].sort().values
    middle = (len(ordered) - 1) // 2
    between = ordered[middle : middle + 2].mean()  # on a measured value, rounding would decide
    return EarlyExit(last, float(between), 100.0)


@pytest.mark.parametrize("exit_layer", [0, 2, 3, 4, 7, 99])
@torch.inference_mode()
def test_the_last_layer_is_where_it_says_and_never_below_half(make: Make, exit_layer: int) -> None:
    model = make(layers=6)
    rule = EarlyExit(exit_layer, None, None)
    inputs = utterance(1, 4)
    sequence = model.embed(inputs, AR)
    hidden = model(sequence.embeds[None], sequence.positions[None], causal=True, early_exit=rule, target=AR)
    expected, ran = by_hand(model, inputs, rule)
    assert ran == min(max(exit_layer, 3), 5)
    torch.testing.assert_close(hidden[0], expected)


@torch.inference_mode()
def test_rows_of_a_batch_leave_each_for_itself(make: Make) -> None:
    model = make(layers=6)
    rows = [utterance(i, n, prompt=1 + i % 3) for i, n in enumerate((2, 9, 5, 1, 7))]
    rule = middle_rule(model, rows, 5)
    expected = [by_hand(model, r, rule) for r in rows]
    assert len({ran for _, ran in expected}) > 1, "all rows leave at one layer: the test shows nothing"
    embeds, positions, lengths = pad([model.embed(r, AR) for r in rows])
    hidden = model(embeds, positions, causal=True, lengths=lengths, early_exit=rule, target=AR)
    for row, (states, _) in zip(hidden, expected, strict=True):
        torch.testing.assert_close(row[: len(states)], states, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("lengths", [(0,), (2, 2), (0, 6, 3, 1)])
@pytest.mark.parametrize("seed", [3, 4, 5])
@torch.inference_mode()
def test_cached_steps_equal_the_uncached_rule(make: Make, lengths: tuple[int, ...], seed: int) -> None:
    """Steps leave at layers that rise and fall, so tokens must catch up; rows change places on the way."""
    model = make(layers=8, seed=seed)
    rows = [utterance(10 * seed + i, n) for i, n in enumerate(lengths)]
    given = [r.response for r in rows]
    stream = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 24, (14, len(rows)), generator=stream)
    longer = [Inputs(r.phonemes, 1, r.prompt, torch.cat((r.response, steps[:7, i]))) for i, r in enumerate(rows)]
    rule = middle_rule(model, longer, 7)
    sequences = [model.embed(r, AR) for r in rows]
    embeds, positions, sizes = pad(sequences)
    cache = model.new_cache(len(rows), embeds.shape[1] + len(steps))
    padded = None if len(rows) == 1 else sizes
    hidden = model(embeds, positions, causal=True, lengths=padded, cache=cache, early_exit=rule, target=AR)
    for i, inputs in enumerate(rows):
        torch.testing.assert_close(hidden[i, : sizes[i]], by_hand(model, inputs, rule)[0], rtol=2e-4, atol=2e-4)
    after = torch.tensor([s.next_position for s in sequences])
    depths, pending = set(), 0
    for step, tokens in enumerate(steps):
        if step == 6:
            order = torch.arange(len(rows)).flip(0)
            cache.select(order)
            rows, given, after = [rows[i] for i in order], [given[i] for i in order], after[order]
        given = [torch.cat((g, t[None])) for g, t in zip(given, tokens, strict=True)]
        embedded = model.embed_token(tokens, AR)[:, None]
        places = (after + step)[:, None]
        hidden = model(embedded, places, causal=True, cache=cache, early_exit=rule, target=AR)
        assert cache.exit is not None
        pending = max(pending, *cache.exit.pending)
        for i, inputs in enumerate(rows):
            states, ran = by_hand(model, Inputs(inputs.phonemes, 1, inputs.prompt, given[i]), rule)
            depths.add(ran)
            torch.testing.assert_close(hidden[i, 0], states[-1], rtol=2e-4, atol=2e-4)
    assert depths


@torch.inference_mode()
def test_tokens_do_catch_up(make: Make) -> None:
    """With thresholds that some steps meet and others don't, layers are left out and made up for."""
    caught_up = 0
    for seed in range(3):
        model = make(layers=8, seed=seed)
        inputs = utterance(seed, 2)
        rule = middle_rule(model, [inputs], 7)
        sequence = model.embed(inputs, AR)
        cache = model.new_cache(1, 80)
        model(sequence.embeds[None], sequence.positions[None], causal=True, cache=cache, early_exit=rule, target=AR)
        waiting = 0
        for step in range(24):
            token = torch.tensor([(step * 7 + seed) % 24])
            place = torch.tensor([[sequence.next_position + step]])
            model(model.embed_token(token, AR)[:, None], place, causal=True, cache=cache, early_exit=rule, target=AR)
            assert cache.exit is not None
            caught_up += cache.exit.pending[-1] < waiting
            waiting = cache.exit.pending[-1]
    assert caught_up


@torch.inference_mode()
def test_a_cache_keeps_to_its_rule(make: Make) -> None:
    model = make()
    sequence = model.embed(utterance(0, 2), AR)
    embeds, positions = sequence.embeds[None], sequence.positions[None]
    cache = model.new_cache(1, 60)
    model(embeds, positions, causal=True, cache=cache, early_exit=EarlyExit(2), target=AR)
    with pytest.raises(ValueError, match="early exit"):
        model(embeds[:, :1], positions[:, :1], causal=True, cache=cache)
    with pytest.raises(ValueError, match="one early-exit rule"):
        model(embeds[:, :1], positions[:, :1], causal=True, cache=cache, early_exit=EarlyExit(3), target=AR)
    plain = model.new_cache(1, 60)
    model(embeds, positions, causal=True, cache=plain)
    with pytest.raises(ValueError, match="one early-exit rule"):
        model(embeds[:, :1], positions[:, :1], causal=True, cache=plain, early_exit=EarlyExit(3), target=AR)


@torch.inference_mode()
def test_one_head_for_all_is_measured_on_raw_states(make: Make) -> None:
    model = make(split_classifiers=False)
    states = torch.randn(2, 3, 32)
    assert torch.equal(model.exit_logits(states, AR), states)
