"""Where a history of tokens repeats itself: for samplers that look for repetitions.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .matches import continuations, extend_matches, no_matches
else:
    __getattr__, __dir__ = lazy_names(
        __name__, {".matches": ("continuations", "extend_matches", "no_matches")}
    )  # fmt: skip

__all__ = ["continuations", "extend_matches", "no_matches"]
