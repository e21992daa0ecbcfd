"""What the commands share during one call of the program; it travels as click's `ctx.obj`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import Console
from ..interrupts import Interrupts
from ..run.options import COMMON

if TYPE_CHECKING:
    from ..plugins.registry import Registry


@dataclass
class State:
    """One call of the program. `given` holds the common options met so far."""

    third_party: bool = True
    config: Path | None = None
    given: dict[str, object] = field(default_factory=dict)
    loaded: Registry | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    @property
    def registry(self) -> Registry:
        """All plugins; loaded on first use, so that importing the command line loads none."""
        if self.loaded is None:
            from ..plugins.registry import Registry

            self.loaded = Registry.load(third_party=self.third_party)
        return self.loaded

    @property
    def debug(self) -> bool:
        """Whether to show traces."""
        return self.given.get("debug") is True

    def note(self, key: str, value: object) -> None:
        """Keep a common option; levels of `-v` before and after the command's name add up."""
        earlier = self.given.get(key)
        both = isinstance(value, int) and isinstance(earlier, int) and not isinstance(value, bool)
        self.given[key] = value + earlier if both else value  # type: ignore[operator]

    def console(self) -> Console:
        """A console as loud as the common options ask."""
        values: Mapping[str, object] = {**{each.key: each.param.default for each in COMMON}, **self.given}
        level = values["verbose"]
        verbosity = -1 if values["quiet"] is True else level if isinstance(level, int) else 0
        return Console(
            verbosity, values["json"] is True, values["no-progress"] is False, interrupts=self.interrupts
        )

    def warn_of_broken(self, console: Console) -> None:
        """One line for each plugin that couldn't be loaded."""
        for line in self.registry.notes:
            console.warn(line)
        for record in self.registry.records:
            if record.status == "broken":
                console.warn(f"plugin {record.name} ({record.distribution} {record.version}) is broken: {record.error}")


def state_of(ctx: click.Context) -> State:
    """The state of this call; a fresh one where a command is used by itself."""
    return ctx.ensure_object(State)
