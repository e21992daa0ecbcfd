"""`vall-e plugins list` and `vall-e plugins check`."""

from __future__ import annotations

import json

import click

from .cli_state import state_of
from .errors import PluginError
from .plugin_loader import SLOW_MS, PluginRecord


@click.group()
def plugins() -> None:
    """List plugins, and check one."""


@plugins.command("list")
@click.pass_context
def list_plugins(ctx: click.Context) -> None:
    """Show every plugin, good or broken, what it brings and how long loading it took."""
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
        words.append(f"slow: over {SLOW_MS:.0f} ms, felt by every command")
    return "  ".join(words)


@plugins.command("check")
@click.argument("package", metavar="PKG")
@click.pass_context
def check_plugin(ctx: click.Context, package: str) -> None:
    """Load one plugin strictly and try everything it brings.

    PKG is the name of a plugin, of a distribution, or of a module that isn't installed as a plugin yet. Exits with 4
    when something is wrong.
    """
    from .plugin_check import check

    console = state_of(ctx).console()
    reports = check(package)
    if console.json:
        click.echo(json.dumps([report.to_mapping() for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            click.echo(f"{'ok' if not report.problems else 'FAIL':<5}{report.subject}")
            for problem in report.problems:
                click.echo(f"     - {problem}")
    wrong = sum(bool(report.problems) for report in reports)
    if wrong:
        raise PluginError(f"{package}: {wrong} of {len(reports)} checks failed")
