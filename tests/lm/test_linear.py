"""The layer's quick way gives what the plain one gives, and training goes by the plain one."""

from __future__ import annotations

import ctypes
import sys

import pytest
import torch
from torch.nn import functional as F

from vall_e_lm.model.linear import _PRODUCT, EXACT, Linear, rounded_rows


def layer(inputs: int, outputs: int) -> Linear:
    made = Linear(inputs, outputs)
    with torch.no_grad():
        made.weight.normal_(generator=torch.Generator().manual_seed(outputs))
    return made


@pytest.mark.parametrize("shape", [(1, 1), (8, 1), (2, 3), (1, 40), (0, 1), (5,), ()])
@pytest.mark.parametrize(("inputs", "outputs"), [(24, 40), (256, 520)])
def test_as_torch_multiplies(shape: tuple[int, ...], inputs: int, outputs: int) -> None:
    made = layer(inputs, outputs)
    x = torch.randn(*shape, inputs, generator=torch.Generator().manual_seed(1))
    expected = F.linear(x, made.weight)
    with torch.inference_mode():
        found = made(x)
    assert found.shape == (*shape, outputs)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-4)


def test_rows_in_any_order_of_memory() -> None:
    made = layer(256, 520)
    x = torch.randn(256, 7, 3, generator=torch.Generator().manual_seed(1)).permute(2, 1, 0)
    with torch.no_grad():
        torch.testing.assert_close(made(x), F.linear(x.contiguous(), made.weight), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types(dtype: torch.dtype) -> None:
    made = layer(256, 520).to(dtype)
    x = torch.ones(2, 256, dtype=dtype)
    with torch.no_grad():
        assert torch.equal(made(x), F.linear(x, made.weight))


def test_few_numbers_of_rows_are_multiplied() -> None:
    """Those of steps as they are, others at most an eighth more, eight in each octave."""
    rounded = [rounded_rows(rows) for rows in range(1, 4097)]
    assert rounded[:EXACT] == list(range(1, EXACT + 1)) and rounded == sorted(rounded)
    assert all(rows <= more <= rows * 9 / 8 for rows, more in enumerate(rounded, 1))
    assert len(set(rounded)) == EXACT + 8 * 8
    assert [rounded_rows(more) for more in rounded] == rounded


@pytest.mark.skipif(sys.platform != "linux" or _PRODUCT is None, reason="asks glibc, and oneDNN on x86")
def test_every_length_is_another_but_memory_is_bounded() -> None:
    """300 lengths; oneDNN keeps 0.3 MB for each number of rows that it is given."""
    made, x = layer(256, 520), torch.randn(600, 256, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        made(x)
        before = allocated()
        for rows in range(300, 600):
            made(x[:rows])
    assert allocated() - before < 15e6


MALLINFO2 = (
    "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
)  # fmt: skip


def allocated() -> int:
    """Bytes that malloc has handed out, of the heap and in blocks of their own."""

    class Facts(ctypes.Structure):
        _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO2)

    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        pytest.skip("no glibc, or one before 2.33")
    ask.restype = Facts
    found = ask()
    return int(found.uordblks + found.hblkhd)


def test_gradients_reach_weight_and_input() -> None:
    made = layer(256, 520)
    x = torch.ones(1, 256, requires_grad=True)
    made(x).sum().backward()
    assert made.weight.grad is not None and bool((made.weight.grad == 1).all())
    assert x.grad is not None
