"""Sampling: steps, noise, state, and the chain that turns logits into tokens.

Importing this package imports no torch; names that need it are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names
from .flags import chain_from_flags, flag_names
from .plan import ChainPlan, Member, compile_chain
from .request import ChainRequest

if TYPE_CHECKING:
    from .chain import Chain, ChainState
    from .noise import Noise, utterance_key
    from .order import descending, descending_row, highest, highest_row
    from .protocols import (
        Choice,
        GreedySelector,
        Narrowing,
        RowTransform,
        Search,
        Selector,
        StateContext,
        StatelessSelector,
        StatelessTransform,
        Trace,
        Transform,
    )
    from .selection import cumulated_row, draw, draw_row, take_maximum
    from .stage import Stage
    from .step import Step, recent
    from .suffix import continuations, extend_matches, no_matches
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".chain": ("Chain", "ChainState"),
            ".noise": ("Noise", "utterance_key"),
            ".order": ("descending", "descending_row", "highest", "highest_row"),
            ".protocols": (
                "Choice",
                "GreedySelector",
                "Narrowing",
                "RowTransform",
                "Search",
                "Selector",
                "StateContext",
                "StatelessSelector",
                "StatelessTransform",
                "Trace",
                "Transform",
            ),
            ".selection": ("cumulated_row", "draw", "draw_row", "take_maximum"),
            ".stage": ("Stage",),
            ".step": ("Step", "recent"),
            ".suffix": ("continuations", "extend_matches", "no_matches"),
        },
    )

__all__ = [
    "Chain",
    "ChainPlan",
    "ChainRequest",
    "ChainState",
    "Choice",
    "GreedySelector",
    "Member",
    "Narrowing",
    "Noise",
    "RowTransform",
    "Search",
    "Selector",
    "Stage",
    "StateContext",
    "StatelessSelector",
    "StatelessTransform",
    "Step",
    "Trace",
    "Transform",
    "chain_from_flags",
    "compile_chain",
    "continuations",
    "cumulated_row",
    "descending",
    "descending_row",
    "draw",
    "draw_row",
    "extend_matches",
    "flag_names",
    "highest",
    "highest_row",
    "no_matches",
    "recent",
    "take_maximum",
    "utterance_key",
]
