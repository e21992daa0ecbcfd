"""One run: its options, its configuration, and the session that a task works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .config import SamplerSpec
    from .options import COMMON, Option, by_key, chain_options, flag_options, task_options
    from .plain_yaml import load_plain
    from .session import Session
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".config": ("SamplerSpec",),
            ".options": ("COMMON", "Option", "by_key", "chain_options", "flag_options", "task_options"),
            ".plain_yaml": ("load_plain",),
            ".session": ("Session",),
        },
    )

__all__ = [
    "COMMON", "Option", "SamplerSpec", "Session", "by_key", "chain_options", "flag_options", "load_plain",
    "task_options",
]  # fmt: skip
