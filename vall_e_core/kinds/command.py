"""Commands and tasks that are imported when they are used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LazyCommand:
    """A click command that is imported when it is used.

    `name` is a new command (`voices`), or `GROUP NAME` for one in an existing group (`samplers plot`). `target` is
    `module:attribute` of a click command, or of a function that makes one from the state of the call.
    """

    name: str
    help: str
    target: str
    json: bool = False
    """Whether it prints JSON under the common option --json."""


class LazyTask(LazyCommand):
    """A task that is imported when it is used: its name, its summary, and `module:attribute` of its class."""

    def summary(self) -> str:
        """As a task's."""
        return self.help
