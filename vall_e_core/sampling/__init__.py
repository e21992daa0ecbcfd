"""For authors of samplers: what a sampler subclasses, what it is given, and helpers that never wait for the device.

Whoever runs chains finds them in `vall_e_core.sampling.running`. Importing this package imports no torch; its names are
resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
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
    )
    from .selection import cumulated_row, draw, draw_row, take_maximum
    from .step import Step, recent
    from .suffix import continuations, extend_matches, no_matches
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".order": ("descending", "descending_row", "highest", "highest_row"),
            ".protocols": (
                "Choice",
                "GreedySelector",
                "Search",
                "Selector",
                "StateContext",
                "StatelessSelector",
                "StatelessTransform",
                "Transform",
            ),
            ".selection": ("cumulated_row", "draw", "draw_row", "take_maximum"),
            ".step": ("Step", "recent"),
            ".suffix": ("continuations", "extend_matches", "no_matches"),
        },
    )

__all__ = [
    "Choice",
    "GreedySelector",
    "Search",
    "Selector",
    "StateContext",
    "StatelessSelector",
    "StatelessTransform",
    "Step",
    "Transform",
    "continuations",
    "cumulated_row",
    "descending",
    "descending_row",
    "draw",
    "draw_row",
    "extend_matches",
    "highest",
    "highest_row",
    "no_matches",
    "recent",
    "take_maximum",
]
