"""Commands that are imported when they are used, and groups of commands that plugins add to."""

from __future__ import annotations

import click

from ..errors import PluginError
from ..kinds import LazyCommand
from ..plugins.loader import resolve_command
from ..streams import kept_stdout
from .options import add_common
from .state import State, state_of


def load_command(command: LazyCommand, state: State) -> click.Command:
    """The click command that a `LazyCommand` names, or what a function makes of the state of this call.

    Raises:
        PluginError: where it can't be imported, or isn't a command.
    """
    with kept_stdout():
        found = resolve_command(command)
        if not isinstance(found, click.Command) and callable(found):
            found = found(state)
    if not isinstance(found, click.Command):
        raise PluginError(f"the command {command.name} isn't a click command")
    return found


class OpenGroup(click.Group):
    """A group of the core's own commands and of those that plugins call `GROUP NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in order."""
        return sorted({*super().list_commands(ctx), *self._added(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name, or None."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        added = self._added(ctx).get(cmd_name)
        return None if added is None else add_common(load_command(added, state_of(ctx)), json=added.json)

    def _added(self, ctx: click.Context) -> dict[str, LazyCommand]:
        prefix = f"{self.name} "
        found = state_of(ctx).registry.commands()
        return {name.removeprefix(prefix): each for name, each in found.items() if name.startswith(prefix)}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its one-line help; those of plugins aren't imported for it."""
        own = {name: each.get_short_help_str(100) for name, each in self.commands.items()}
        added = {name: each.help for name, each in self._added(ctx).items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**added, **own}.items()))
