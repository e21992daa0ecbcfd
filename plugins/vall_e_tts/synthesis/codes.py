"""Codes that come from outside."""

from __future__ import annotations

from torch import Tensor

from vall_e_core import InputError, ModelError


def require_finite_codes(codes: Tensor, size: int) -> Tensor:
    """`codes` [T, Q] of a reference, if there are any and all are codes. Raises InputError, ModelError."""
    if len(codes) == 0:
        raise InputError("the reference is too short for the codec", try_="a reference of 3-10 s")
    if int(codes.min()) < 0 or int(codes.max()) >= size:
        raise ModelError(f"the codec gave a code outside 0..{size - 1}")
    return codes
