"""The KV cache gives what the whole pass gives, for rows of different lengths."""

from __future__ import annotations

import pytest
import torch

from vall_e_lm import Inputs, Model, Target
from vall_e_lm.model import pad
from vall_e_lm.model.backbone import GatedMLP

from .conftest import Make, utterance

AR = Target("ar")


def whole(model: Model, inputs: Inputs, response: torch.Tensor) -> torch.Tensor:
    """States [S, D] of one utterance with this response, without a cache."""
    sequence = model.embed(Inputs(inputs.phonemes, inputs.language, inputs.prompt, response), AR)
    out: torch.Tensor = model(sequence.embeds[None], sequence.positions[None], causal=True)[0]
    return out


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("lengths", [(0,), (3, 3), (0, 4, 1)])
@torch.inference_mode()
def test_steps_equal_the_whole_pass(make: Make, unified: bool, lengths: tuple[int, ...]) -> None:
    model = make(unified_position_ids=unified)
    rows = [utterance(i, n, prompt=2 + i) for i, n in enumerate(lengths)]
    start = [r.response for r in rows]
    sequences = [model.embed(r, AR) for r in rows]
    embeds, positions, sizes = pad(sequences)
    cache = model.new_cache(len(rows), embeds.shape[1] + 6)
    padded = None if len(set(sizes.tolist())) == 1 else sizes
    model(embeds, positions, causal=True, lengths=padded, cache=cache)
    next_positions = torch.tensor([s.next_position for s in sequences])
    tokens = torch.randint(0, 24, (6, len(rows)), generator=torch.Generator().manual_seed(9))
    for step in range(6):
        embedded = model.embed_token(tokens[step], AR)[:, None]
        hidden = model(embedded, (next_positions + step)[:, None], causal=True, cache=cache)
        for i, inputs in enumerate(rows):
            given = torch.cat((start[i], tokens[: step + 1, i]))
            torch.testing.assert_close(hidden[i, 0], whole(model, inputs, given)[-1], rtol=1e-4, atol=1e-4)
    assert cache.lengths.tolist() == (sizes + 6).tolist()


@pytest.mark.parametrize("order", [[2, 0, 0], [1], [0, 1, 2, 2]])
@torch.inference_mode()
def test_selected_rows_go_on_as_their_parents(make: Make, order: list[int]) -> None:
    model = make()
    rows = [utterance(i, n) for i, n in enumerate((2, 5, 1))]
    sequences = [model.embed(r, AR) for r in rows]
    embeds, positions, sizes = pad(sequences)
    cache = model.new_cache(3, 40)
    model(embeds, positions, causal=True, lengths=sizes, cache=cache)
    cache.select(torch.tensor(order))
    tokens = torch.arange(len(order)) + 7
    after = torch.tensor([sequences[i].next_position for i in order])[:, None]
    hidden = model(model.embed_token(tokens, AR)[:, None], after, causal=True, cache=cache)
    for row, parent in enumerate(order):
        given = torch.cat((rows[parent].response, tokens[row : row + 1]))
        torch.testing.assert_close(hidden[row, 0], whole(model, rows[parent], given)[-1], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_full_cache_is_refused_and_a_reset_one_is_empty(make: Make) -> None:
    model = make()
    sequence = model.embed(utterance(0, 3), AR)
    cache = model.new_cache(1, len(sequence.embeds))
    first = model(sequence.embeds[None], sequence.positions[None], causal=True, cache=cache)
    with pytest.raises(ValueError, match="KV cache holds"):
        model(sequence.embeds[None, :1], sequence.positions[None, :1], causal=True, cache=cache)
    cache.reset()
    again = model(sequence.embeds[None], sequence.positions[None], causal=True, cache=cache)
    assert torch.equal(first, again)


@torch.inference_mode()
def test_task_tokens_in_a_prompt_make_a_sequence_not_incremental(make: Make) -> None:
    model = make()
    plain = utterance(0, 3)
    assert isinstance(plain.prompt, torch.Tensor)
    marked = Inputs(plain.phonemes, 1, ["ns", plain.prompt], plain.response)
    assert model.embed(plain, AR).incremental
    assert not model.embed(marked, AR).incremental
    assert make(unified_position_ids=True).embed(marked, AR).incremental
    grown = Inputs(plain.phonemes, 1, ["ns", plain.prompt], torch.cat((plain.response, torch.tensor([1]))))
    before, after = model.embed(marked, AR).positions, model.embed(grown, AR).positions
    assert not torch.equal(before, after[: len(before)])


def test_many_rows_go_through_a_layer_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a batch's prefill does: the result is that of all at once, and no hidden tensor is larger than it may be."""
    layer = GatedMLP(32)
    x = torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(1))
    rows: list[int] = []
    layer.down_proj.register_forward_hook(lambda module, given, made: rows.append(given[0].numel() // 128))
    with torch.inference_mode():
        expected = layer(x)
        monkeypatch.setattr("vall_e_lm.model.backbone.MOST_ROWS", 8)
        found = layer(x)
    assert found.shape == x.shape and torch.allclose(found, expected, atol=1e-6)
    assert rows == [21, 8, 8, 5]
    assert torch.allclose(layer(x), expected, atol=1e-6) and rows[-1] == 21, "training takes them together"
