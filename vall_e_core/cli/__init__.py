"""The command line: what every command shares, and the core's own commands.

Public for plugins that bring commands: `State` and `state_of` for what the user said before the command's name, and
`TaskCommand` and `TaskGroup` for commands whose options are a task's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .entry import main
    from .samplers import sampler_facts
    from .state import State, state_of
    from .task import TaskCommand, TaskGroup
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".entry": ("main",),
            ".samplers": ("sampler_facts",),
            ".state": ("State", "state_of"),
            ".task": ("TaskCommand", "TaskGroup"),
        },
    )

__all__ = ["State", "TaskCommand", "TaskGroup", "main", "sampler_facts", "state_of"]
