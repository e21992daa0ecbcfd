"""`vall-e plugins list`."""

from __future__ import annotations

import json

import click

from ..plugins.loader import SLOW_MS, PluginRecord
from .group import OpenGroup
from .state import state_of


@click.group(cls=OpenGroup)
def plugins() -> None:
    """List, check, create and install plugins. VALL_E_DISABLE=NAME,… switches some off."""


@plugins.command("list")
@click.pass_context
def list_plugins(ctx: click.Context) -> None:
    """List every plugin, working or broken, with its components and load time."""
    state = state_of(ctx)
    registry, console = state.registry, state.console()
    for line in registry.notes:
        console.warn(line)
    if console.json:
        click.echo(json.dumps([record.to_mapping() for record in registry.records], indent=2, ensure_ascii=False))
        return
    for record in registry.records:
        click.echo(_line(record))
        if record.error is not None:
            click.echo(f"    {record.error}")
        for kind, names in record.provides.items():
            click.echo(f"    {kind}: {', '.join(names)}")


def _line(record: PluginRecord) -> str:
    words = [record.name, f"({record.distribution} {record.version})"]
    if record.status != "ok":
        words.append(record.status)
    if record.status != "disabled":
        words.append(f"{record.ms:.1f} ms")
    if record.slow:
        words.append(f"slow: over {SLOW_MS:.0f} ms, at every start")
    return "  ".join(words)
