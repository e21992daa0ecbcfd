"""What the engine computes: the rounded weights' own results, up to the rounding of what they multiply."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from vall_e_lm import KVCache, Model

from .conftest import Converted, small_model

pytest.importorskip("onnxruntime")

from vall_e_onnx import convert
from vall_e_onnx.product import Wide, wide_works
from vall_e_onnx.protobuf import number, varint
from vall_e_onnx.quantize import BLOCK4, Eight, Four, block_size

LENGTHS = torch.tensor([20, 11, 16])


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def stand_in(bits: int) -> Model:
    """The float model with the weights that the rounded ones stand for."""
    model = small_model()
    with torch.no_grad():
        for block in model.model.layers:
            for parts in convert.weights_of(block).values():
                for weight in parts:
                    size = block_size(weight.shape[1], BLOCK4)
                    weight.copy_((Eight.of(weight) if bits == 8 else Four.of(weight, size)).weight())
    return model


def run(
    model: Model, *, steps: int = 4, lengths: Tensor = LENGTHS, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A right-padded prefill and some steps: the states [N, D] of the last token given, and of each step [N, S, D]."""
    stream = torch.Generator().manual_seed(1)
    x = torch.randn(3, int(LENGTHS.max()), 64, generator=stream)
    new = torch.randn(3, steps, 64, generator=stream)
    if rows is not None:
        x, new, lengths = x[rows, : int(lengths[rows].max())], new[rows], lengths[rows]
    n, t, _ = x.shape
    padded = None if bool((lengths == t).all()) else lengths
    cache: KVCache = model.new_cache(n, t + steps)
    with torch.inference_mode():
        first = model(x, torch.arange(t).expand(n, -1), causal=True, lengths=padded, cache=cache)
        found = [
            model(new[:, i : i + 1], (lengths + i)[:, None], causal=True, cache=cache)[:, 0] for i in range(steps)
        ]
    return first[torch.arange(n), lengths - 1], torch.stack(found, 1)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**40])
def test_numbers_are_written_as_protobuf_has_them(value: int) -> None:
    data, found = varint(value), 0
    for place, byte in enumerate(data):
        assert (byte & 0x80 != 0) == (place < len(data) - 1)
        found |= (byte & 0x7F) << (7 * place)
    assert found == value


def test_a_negative_number_takes_ten_bytes() -> None:
    assert number(3, -1) == b"\x18" + b"\xff" * 9 + b"\x01"


def test_eight_bits_are_off_by_half_a_step_at_most() -> None:
    weight = torch.randn(10, 96) * torch.logspace(-3, 3, 10)[:, None]
    weight[4] = 0.0
    eight = Eight.of(weight)
    assert eight.values.dtype == torch.int8
    assert bool(((eight.weight() - weight).abs() <= eight.scales[:, None] * 0.5001).all())


def test_four_bits_keep_each_block_to_its_own_scale() -> None:
    weight = torch.randn(6, 128, generator=torch.Generator().manual_seed(0))
    weight[:, 64:] *= 1e-3
    weight[2, :64] = 0.0
    four = Four.of(weight, 64)
    assert four.values.shape == (6, 2, 32) and four.scales.shape == (6, 2)
    off = (four.weight() - weight).view(6, 2, 64).norm(dim=-1)
    size = weight.view(6, 2, 64).norm(dim=-1)
    assert bool((off <= 0.13 * size).all()), "about 0.09 for normal weights, whatever the block's size"


def test_two_numbers_share_a_byte_the_first_in_the_lower_half() -> None:
    weight = torch.tensor([[-8.0, 3.0, 7.0, -1.0] * 4])
    four = Four.of(weight, 16)
    assert four.scales.item() == 1.0 and torch.equal(four.weight(), weight)
    assert four.values[0, 0, :2].tolist() == [0 | 11 << 4, 15 | 7 << 4]


def test_the_largest_magnitude_of_a_block_can_be_met_exactly() -> None:
    weight = torch.zeros(2, 32)
    weight[0, 3], weight[1, 5] = 4.0, -4.0
    assert torch.allclose(Four.of(weight, 32).weight(), weight, atol=0.6)


def test_rows_of_a_wide_product_do_not_depend_on_each_other() -> None:
    if not wide_works():
        pytest.skip("this machine has no exact products of 8 bits")
    product = Wide(Eight.of(torch.randn(48, 64)))
    x = torch.randn(7, 64) * torch.logspace(-2, 2, 7)[:, None]
    x[3] = 0.0
    together = product(x)
    assert torch.equal(together, torch.cat([product(row[None]) for row in x]))
    assert not together[3].any()


def test_products_are_those_of_whole_numbers_whatever_their_signs() -> None:
    if not wide_works():
        pytest.skip("this machine has no exact products of 8 bits")
    weight = Eight.of(torch.randn(48, 64))
    x = torch.randint(-127, 128, (9, 64)).float()
    x[:, 0] = 127.0  # the scale is 1
    x[1], x[2, 1:] = -127.0, -127.0
    expected = (x.double() @ weight.values.double().T).float() * weight.scales
    assert torch.equal(Wide(weight)(x), expected)


def test_products_that_nothing_but_a_reference_makes_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """On some processors oneDNN has a path for every number and every sign, and it takes a second a layer."""
    ask: Callable[[], bool] = wide_works.__wrapped__
    assert ask() == wide_works()
    usual = Wide.forward

    def slow(product: Wide, x: Tensor) -> Tensor:
        time.sleep(0.02)
        return usual(product, x)

    monkeypatch.setattr(Wide, "forward", slow)
    assert not ask()


def test_a_batch_goes_through_the_layers_a_few_rows_at_a_time(
    converted: Converted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefill's hidden tensors are no larger than so many rows, and its numbers those of all at once."""
    if not wide_works():
        pytest.skip("this machine has no exact products of 8 bits")
    loaded = converted()
    rows: list[int] = []
    for block in loaded.model.layers:
        block.down.register_forward_hook(lambda module, given, made: rows.append(given[0].numel() // 256))
    expected, _ = run(loaded, steps=1)
    assert set(rows) == {60}
    rows.clear()
    monkeypatch.setattr("vall_e_lm.model.backbone.MOST_ROWS", 16)
    found, _ = run(loaded, steps=1)
    assert torch.equal(found, expected)
    assert set(rows) == {16, 12} and len(rows) == 4 * len(loaded.model.layers)


@pytest.mark.parametrize("bits", [8, 4])
def test_steps_are_those_of_the_rounded_weights(converted: Converted, bits: int) -> None:
    _, found = run(converted(bits))
    _, expected = run(stand_in(bits))
    assert relative(found, expected) < 0.06, "what the rounding of activations costs"
    _, exact = run(small_model())
    assert relative(found, exact) < (0.06 if bits == 8 else 0.4)
    assert (relative(found, exact) > 2 * relative(found, expected)) == (bits == 4)


def test_weights_as_they_are_give_the_layers_own_numbers(converted: Converted) -> None:
    expected, found = run(small_model()), run(converted(32))
    assert torch.equal(found[0], expected[0]), "a prefill is the layers' own"
    assert 0 < relative(found[1], expected[1]) < 1e-5
    assert sum(each.numel() for each in converted(32).parameters()) == sum(
        each.numel() for each in small_model().parameters()
    )


@pytest.mark.parametrize("packed", [0, 1 << 40])
def test_packing_changes_rounding_at_most(
    converted: Converted, monkeypatch: pytest.MonkeyPatch, packed: int
) -> None:
    """Large weights stay where torch has them; small ones may be laid out anew."""
    monkeypatch.setattr("vall_e_onnx.step.PACKED_BYTES", packed)
    assert relative(run(converted(32))[1], run(small_model())[1]) < 1e-5


def test_a_prefill_is_that_of_the_rounded_weights(converted: Converted) -> None:
    found, _ = run(converted())
    expected, _ = run(stand_in(8))
    assert 0 < relative(found, expected) < 0.06


@pytest.mark.parametrize("bits", [32, 8, 4])
def test_rows_are_what_they_are_alone(converted: Converted, bits: int) -> None:
    model = converted(bits)
    first, steps = run(model)
    for i in range(3):
        alone_first, alone = run(model, rows=torch.tensor([i]))
        assert torch.allclose(first[i], alone_first[0], atol=1e-3, rtol=1e-3)
        assert torch.allclose(steps[i], alone[0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("bits", [32, 8])
def test_the_same_steps_give_the_same_numbers(converted: Converted, bits: int) -> None:
    model = converted(bits)
    assert torch.equal(run(model)[1], run(model)[1])
    assert torch.equal(run(model)[1], run(converted(bits))[1])


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 0], [0, 0, 0, 2, 1]])
def test_rows_can_be_dropped_and_repeated(converted: Converted, rows: list[int], bits: int) -> None:
    """As a search re-orders them, and a batch drops those that have ended."""
    model = converted(bits)
    picked = torch.tensor(rows)
    x = torch.randn(3, 20, 64, generator=torch.Generator().manual_seed(3))
    new = torch.randn(3, 2, 64, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        kept = model.new_cache(3, 24)
        model(x, torch.arange(20).expand(3, -1), causal=True, lengths=LENGTHS, cache=kept)
        whole = deepcopy(kept)
        for i in range(2):
            expected = model(new[:, i : i + 1], (LENGTHS + i)[:, None], causal=True, cache=whole)
        model(new[:, :1], LENGTHS[:, None], causal=True, cache=kept)
        kept.select(picked)
        found = model(new[picked, 1:], (LENGTHS + 1)[picked, None], causal=True, cache=kept)
    assert torch.allclose(found, expected[picked], atol=1e-3, rtol=1e-3)


def test_caches_take_turns(converted: Converted) -> None:
    model = converted()
    x = torch.randn(2, 6, 64, generator=torch.Generator().manual_seed(5))
    positions = torch.arange(6)[None]

    def begin(row: int) -> KVCache:
        cache = model.new_cache(1, 12)
        model(x[row : row + 1, :3], positions[:, :3], causal=True, cache=cache)
        return cache

    def go_on(cache: KVCache, row: int, i: int) -> Tensor:
        found: Tensor = model(x[row : row + 1, i : i + 1], positions[:, i : i + 1], causal=True, cache=cache)
        return found

    with torch.inference_mode():
        one, other = begin(0), begin(1)
        mixed = [(go_on(one, 0, i), go_on(other, 1, i)) for i in range(3, 6)]
        for row in range(2):
            alone = begin(row)
            assert [torch.equal(go_on(alone, row, i), mixed[i - 3][row]) for i in range(3, 6)] == [True] * 3
