"""What every codec asks of what it is given, so that a mistake has the same words in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from vall_e_core import CodecModel


def codebook_ids(codes: Tensor, codec: CodecModel, device: torch.device) -> Tensor:
    """Codes [T, q] of any integer type as int64 on `device`, ready for `codec`'s codebooks.

    An id outside the codebook, such as a stop token that slipped through, becomes 0. Raises ValueError for
    another number of levels than 1 to the codec's.
    """
    if codes.dim() != 2 or not 1 <= codes.shape[1] <= codec.levels:
        raise ValueError(f"expected codes [T, 1..{codec.levels}], found {list(codes.shape)}")
    ids = codes.to(device=device, dtype=torch.int64)
    return torch.where((ids < 0) | (ids >= codec.codebook_size), 0, ids)


def mono_samples(wave: Tensor, device: torch.device) -> Tensor:
    """Samples [n] as float32 on `device`. Raises ValueError for more than one channel."""
    if wave.dim() != 1:
        raise ValueError(f"expected one channel [samples], found {list(wave.shape)}")
    return wave.to(device=device, dtype=torch.float32)
