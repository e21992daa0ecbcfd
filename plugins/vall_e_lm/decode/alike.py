"""How many rows a step needs so that none of them shows how many there are.

A library picks its kernel by the shape of a product, and kernels round differently: on most processors one row comes
out otherwise than two, on some two otherwise than eight. Which shapes agree is a matter of the processor, the library
and the model's width, so it is tried on the model itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .steppers import flat_logits

if TYPE_CHECKING:
    from ..model import BaseModel, Target

BUCKET = 16
"""Places read by attention come in multiples of it: sums over a length that is no multiple of a vector differ."""
CONTEXT = 21
"""Tokens before the steps that are tried."""
STEPS = 3


@torch.inference_mode()
def alike_rows(model: BaseModel, target: Target, most: int) -> int:
    """The fewest rows from which on, up to `most`, every row of a step is the same to the bit.

    Args:
        model: on the device that it will run on.
        target: what the steps write.
        most: rows at the same time, at most.

    Returns:
        A number from 1 to `most`. It is `most` where nothing less is safe: then a step always has that many rows.
    """
    expected = _step(model, target, most)
    least = most
    for rows in range(most - 1, 0, -1):
        found = _step(model, target, rows)
        if not all(torch.equal(row, expected[0]) for row in (found[0], found[-1])):
            break
        least = rows
    return least if all(torch.equal(row, expected[0]) for row in expected) else most


def _step(model: BaseModel, target: Target, rows: int) -> Tensor:
    """Logits of some steps of so many rows that hold the same, [rows, STEPS, V]."""
    stream = torch.Generator().manual_seed(0)
    device, dtype = model.sep.device, model.sep.dtype
    given = torch.randn(1, CONTEXT + STEPS, model.config.width, generator=stream).to(device, dtype)
    places = torch.arange(CONTEXT + STEPS, device=device)[None]
    cache = model.new_cache(1, -(-(CONTEXT + STEPS) // BUCKET) * BUCKET, BUCKET)
    lengths = torch.tensor([CONTEXT], device=device)
    model(given[:, :CONTEXT], places[:, :CONTEXT], causal=True, lengths=lengths, cache=cache, target=target)
    cache.select(torch.zeros(rows, dtype=torch.long, device=device))
    made = []
    for at in range(CONTEXT, CONTEXT + STEPS):
        embeds, positions = (each[:, at : at + 1].expand(rows, *[-1] * (each.dim() - 1)) for each in (given, places))
        hidden = model(embeds.contiguous(), positions, causal=True, cache=cache, target=target)
        made.append(flat_logits(model, hidden, target)[:, -1])
    return torch.stack(made, 1)
