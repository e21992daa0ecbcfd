"""Sampling: steps, noise, state, and the chain that turns logits into tokens.

Importing this package imports no torch; names that need it are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flags import chain_from_flags
from .plan import ChainPlan, Member, compile_chain

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

_LAZY = {
    "Chain": "chain",
    "ChainState": "chain",
    "Choice": "protocols",
    "GreedySelector": "protocols",
    "Narrowing": "protocols",
    "Noise": "noise",
    "RowTransform": "protocols",
    "Search": "protocols",
    "Selector": "protocols",
    "Stage": "stage",
    "StateContext": "protocols",
    "StatelessSelector": "protocols",
    "StatelessTransform": "protocols",
    "Step": "step",
    "Trace": "protocols",
    "Transform": "protocols",
    "continuations": "suffix",
    "cumulated_row": "selection",
    "descending": "order",
    "descending_row": "order",
    "draw": "selection",
    "draw_row": "selection",
    "extend_matches": "suffix",
    "highest": "order",
    "highest_row": "order",
    "no_matches": "suffix",
    "recent": "step",
    "take_maximum": "selection",
    "utterance_key": "noise",
}

__all__ = [
    "Chain",
    "ChainPlan",
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
    "highest",
    "highest_row",
    "no_matches",
    "recent",
    "take_maximum",
    "utterance_key",
]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value
