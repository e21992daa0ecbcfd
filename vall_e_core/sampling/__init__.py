"""For authors of samplers: what a sampler subclasses, what it is given, and helpers that never wait for the device.

Whoever runs chains finds them in `vall_e_core.sampling.running`. Importing this package imports no torch; its names are
resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .drawing import cumulated_row, draw, draw_row, take_maximum
    from .order import descending, descending_row, highest, highest_row
    from .protocols import (
        Choice,
        GreedySelector,
        Search,
        Selector,
        StateContext,
        StatelessSelector,
        StatelessTransform,
        Transform,
    )  # fmt: skip
    from .step import Step, recent
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".order": ("descending", "descending_row", "highest", "highest_row"),
            ".protocols": (
                "Choice", "GreedySelector", "Search", "Selector", "StateContext", "StatelessSelector",
                "StatelessTransform", "Transform",
            ),
            ".drawing": ("cumulated_row", "draw", "draw_row", "take_maximum"),
            ".step": ("Step", "recent"),
        },
    )

__all__ = [
    "Choice", "GreedySelector", "Search", "Selector", "StateContext", "StatelessSelector", "StatelessTransform",
    "Step", "Transform", "cumulated_row", "descending", "descending_row", "draw", "draw_row",
    "highest", "highest_row", "recent", "take_maximum",
]  # fmt: skip
