"""Seeing what a chain does: recording a run on its device, a file of it, and a picture: `vall-e samplers plot`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import LazyCommand, hookimpl, lazy_names

if TYPE_CHECKING:
    from .command import plot
    from .file import TraceLine, TraceLog
    from .recorder import TraceRecorder
    from .steps import traced_steps
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".command": ("plot",),
            ".file": ("TraceLine", "TraceLog"),
            ".recorder": ("TraceRecorder",),
            ".steps": ("traced_steps",),
        },
    )


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `samplers plot`."""
    return [LazyCommand("samplers plot", "plot what a chain did", "vall_e_trace.command:plot", json=True)]


__all__ = [
    "TraceLine",
    "TraceLog",
    "TraceRecorder",
    "plot",
    "traced_steps",
]
