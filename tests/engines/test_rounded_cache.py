"""Keys and values in 8 bits: what is kept of them, and what a step sees."""


from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_lm import KVCache
from vall_e_lm.memory import cache_bytes

from .conftest import Converted, small_model
from .test_numbers import relative, run

pytest.importorskip("onnxruntime")

from vall_e_onnx import cache as module
from vall_e_onnx.cache import MARGIN, RoundedCache, Scales, measure, rounded_cache_works

needs_rounded = pytest.mark.skipif(not rounded_cache_works(), reason="this ONNX Runtime has no cache of 8 bits")


def scales(layers: int = 1, heads: int = 2, width: int = 16) -> Scales:
    stream = torch.Generator().manual_seed(1)
    return Scales(*(torch.rand(layers, heads, 1, width, generator=stream) * 0.05 + 0.01 for _ in range(2)))


def test_what_is_written_is_read_to_half_a_unit_and_clipped_beyond() -> None:
    units = scales()
    kept = RoundedCache(1, 1, 2, 8, 16, scales=units)
    keys, values = (torch.randn(1, 2, 5, 16, generator=torch.Generator().manual_seed(seed)) for seed in (2, 3))
    keys[0, 0, 0, 0] = 1e6
    kept.write(0, keys, values, torch.arange(5)[None])
    kept.advance(5)
    for given, found, unit in zip((keys, values), kept.read(0, 5), (units.keys, units.values), strict=True):
        most = 127 * unit[0]
        assert found.dtype == torch.float32
        assert bool(((found - given.clamp(-most, most)).abs() <= 0.501 * unit[0]).all())
    assert kept.keys.dtype == torch.int8 and kept.keys.nbytes * 4 == KVCache(1, 1, 2, 8, 16).keys.nbytes


def test_units_are_found_once_and_leave_room() -> None:
    model = small_model()
    found, again = measure(model, model.model), measure(model, model.model)
    assert torch.equal(found.keys, again.keys) and torch.equal(found.values, again.values)
    embeds = torch.randn(1, 12, 64, generator=torch.Generator().manual_seed(4))
    kept = model.new_cache(1, 12)
    with torch.inference_mode():
        model(embeds, torch.arange(12)[None], causal=True, cache=kept)
    for seen, unit in ((kept.keys, found.keys), (kept.values, found.values)):
        assert float(((seen[:, 0].abs() / unit) <= 127).float().mean()) > 0.99, "of other input, hardly any is clipped"
    first, second = found.keys.chunk(2, -1)
    assert torch.equal(first, second), "rotation moves magnitude between the channels of a pair"
    assert MARGIN > 1


@needs_rounded
@pytest.mark.parametrize("bits", [8, 4])
def test_steps_are_those_of_a_float_cache_up_to_rounding(
    converted: Converted, monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    rounded = converted(bits)
    monkeypatch.setattr("vall_e_onnx.convert.rounded_cache_works", lambda: False)
    plain = converted(bits)
    assert rounded.new_cache(1, 2).keys.dtype == torch.int8 and plain.new_cache(1, 2).keys.dtype == torch.float32
    assert cache_bytes(plain, 100) == 4 * cache_bytes(rounded, 100)
    assert torch.equal(run(rounded)[0], run(plain)[0]), "a prefill sees its own keys and values as they are"
    assert 0 < relative(run(rounded)[1], run(plain)[1]) < 0.03


@needs_rounded
def test_units_are_kept_with_the_converted_weights(converted: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(converted(identity="a" * 64))[1]
    monkeypatch.setattr("vall_e_onnx.convert.measure", lambda *_: pytest.fail("measured again"))
    assert torch.equal(run(converted(identity="a" * 64))[1], first)


@needs_rounded
def test_weights_as_they_are_have_a_cache_as_it_is(converted: Converted) -> None:
    assert converted(32).new_cache(1, 2).keys.dtype == torch.float32


class Refuses:
    """An ONNX Runtime that doesn't know the operator's attributes."""

    def __init__(self, *_: Any) -> None:
        raise module.REFUSALS[0]


class Ignores:
    """One that takes 8-bit numbers for the values themselves."""

    def __init__(self, shape: Any, *_: Any) -> None:
        self.rounded = shape.rounded_cache

    def __call__(self, x: Tensor, *_: Any) -> Tensor:
        return x[None] + (40.0 if self.rounded else 1.0)


@pytest.mark.parametrize("step", [Refuses, Ignores])
def test_it_is_tried_before_it_is_used(monkeypatch: pytest.MonkeyPatch, step: type) -> None:
    monkeypatch.setattr(module, "Step", step)
    assert not rounded_cache_works.__wrapped__()
