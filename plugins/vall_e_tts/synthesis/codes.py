"""Codes: whether a reference's can be used, and where level 0 got stuck."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core import InputError, ModelError

LONGEST_PERIOD = 40
"""Periods looked for, in frames."""
LOOP_SECONDS = 2.0
"""How long a repetition must go on to count."""


def require_finite_codes(codes: Tensor, size: int) -> Tensor:
    """`codes` [T, Q] of a reference, if there are any and all are codes. Raises InputError, ModelError."""
    if len(codes) == 0:
        raise InputError("the reference is too short for the codec", try_="a reference of 3-10 s")
    if int(codes.min()) < 0 or int(codes.max()) >= size:
        raise ModelError(f"the codec gave a code outside 0..{size - 1}")
    return codes


def find_loop(codes: NDArray[np.int64], frame_rate: float) -> tuple[int, int] | None:
    """The first place [frame] where `codes` [T] repeat themselves with a period [frames] for `LOOP_SECONDS`, or None.

    A loop of period p counts when every frame of two seconds equals the frame p before it (and there are two rounds at
    least), so that a held vowel or a pause of a second doesn't.
    """
    for period in range(1, min(LONGEST_PERIOD, len(codes) // 2) + 1):
        needed = max(round(LOOP_SECONDS * frame_rate) - period, period)
        equal = codes[period:] == codes[:-period]
        if len(equal) < needed:
            continue
        breaks = np.flatnonzero(~equal)
        edges = np.concatenate(([-1], breaks, [len(equal)]))
        runs = np.diff(edges) - 1
        long = np.flatnonzero(runs >= needed)
        if len(long):
            return int(edges[long[0]]) + 1, period
    return None
