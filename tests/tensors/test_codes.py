"""What every codec asks of codes and samples: the same words in all of them, and ids that its codebooks have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from vall_e_tensors import codebook_ids, mono_samples

CODEC = SimpleNamespace(levels=3, codebook_size=16)
CPU = torch.device("cpu")


def test_ids_outside_the_code_book_are_read_as_0() -> None:
    codes = torch.tensor([[0, 15], [16, -1]], dtype=torch.int16)
    ids = codebook_ids(codes, CODEC, CPU)
    assert ids.tolist() == [[0, 15], [0, 0]] and ids.dtype == torch.int64
    assert codes.tolist() == [[0, 15], [16, -1]], "the caller's own stay as they are"
    assert codebook_ids(codes[:0], CODEC, CPU).shape == (0, 2)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 4), (1, 4, 2)])
def test_codes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected codes \[T, 1\.\.3\], found"):
        codebook_ids(torch.zeros(shape, dtype=torch.int64), CODEC, CPU)


def test_samples_are_of_one_channel() -> None:
    assert mono_samples(torch.tensor([0.5, -1.0], dtype=torch.float64), CPU).dtype == torch.float32
    with pytest.raises(ValueError, match=r"expected one channel \[samples\], found \[2, 3\]"):
        mono_samples(torch.zeros(2, 3), CPU)
