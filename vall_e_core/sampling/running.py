"""For whoever runs chains: decoders, adapters, the contract suites.

Importing this imports no torch; names that need it are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from ..errors import SyncError
    from .candidates import Candidates
    from .chain import Chain
    from .chain_state import ChainState
    from .flags import chain_from_flags, flag_names
    from .noise import Noise, utterance_key
    from .places import canonical, precedes
    from .plan import ChainPlan, ChainRequest, Member, compile_chain
    from .protocols import Narrowing, RowTransform, Trace
    from .row_path import own_method
    from .stage import Stage
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "..candidates": ("Candidates",),
            "..chain": ("Chain",),
            "..chain_state": ("ChainState",),
            "..flags": ("chain_from_flags", "flag_names"),
            "..noise": ("Noise", "utterance_key"),
            "..places": ("canonical", "precedes"),
            "..plan": ("ChainPlan", "ChainRequest", "Member", "compile_chain"),
            "..protocols": ("Narrowing", "RowTransform", "Trace"),
            "..row_path": ("own_method",),
            "..stage": ("Stage",),
            "...errors": ("SyncError",),
        },
    )

__all__ = [
    "Candidates", "Chain", "ChainPlan", "ChainRequest", "ChainState", "Member", "Narrowing", "Noise",
    "RowTransform", "Stage", "SyncError", "Trace", "canonical", "chain_from_flags", "compile_chain", "flag_names",
    "own_method", "precedes", "utterance_key",
]  # fmt: skip
