"""`vall-e plugins list`, `check` and `new`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .cli_state import state_of
from .errors import PluginError
from .plugin_loader import SLOW_MS, PluginRecord
from .streams import kept_stdout


@click.group()
def plugins() -> None:
    """List plugins, check one, and begin a new one."""


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

    PKG is the name of a plugin, of a distribution, of a component (such as a sampler), or something that isn't
    installed as a plugin yet: a folder with a pyproject.toml, or a module. Exits with 4 when something is wrong.
    """
    from .plugin_check import check

    console = state_of(ctx).console()
    with kept_stdout():
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


@plugins.command("new")
@click.argument("name", metavar="NAME")
@click.option(
    "--dir", "parent", metavar="PATH", default=Path(), type=click.Path(path_type=Path),
    help="The folder to write NAME/ into.  [default: this one]",
)  # fmt: skip
@click.pass_context
def new_plugin(ctx: click.Context, name: str, parent: Path) -> None:
    """Write a new sampler called NAME, as a whole distribution in ./NAME/, and refuse to overwrite anything.

    It works as it is: install it, run its tests, use it. Then put your own rule in the place of its own.
    """
    from .plugin_loader import OURS, find
    from .plugin_template import Names, write_plugin

    state = state_of(ctx)
    ours = [record for record in state.registry.records if record.distribution == OURS]
    names = Names.of(
        name,
        samplers={each for record in ours for each in record.provides.get("samplers", ())},
        packages={"vall_e_core", *(each.target.partition(":")[0] for each in find() if each.ours)},
    )
    folder, written = write_plugin(names, parent)
    if state.console().json:
        click.echo(json.dumps({"folder": str(folder), "distribution": names.distribution, "files": written}, indent=2))
        return
    click.echo("\n".join(str(folder / each) for each in written))
    click.echo(f"\nNext: pip install -e {folder}; pytest {folder}; vall-e plugins check {name}")
