"""`vall-e plugins check`, `vall-e plugins new` and `vall-e samplers show`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from vall_e_core import PluginError
from vall_e_core.cli import sampler_facts, state_of
from vall_e_core.plugins import BUILT_IN_COMMANDS, OURS, find, kept_stdout

from .check import check
from .new import TRIALS, Names, write_plugin
from .sampler_page import page_of


@click.command("check")
@click.argument("package", metavar="PKG")
@click.pass_context
def check_plugin(ctx: click.Context, package: str) -> None:
    """Test a plugin: load it strictly and check everything it brings.

    PKG is the name of a plugin, a distribution or a component (such as a sampler), or something that isn't installed
    yet: a folder with a pyproject.toml, or a module. The exit code is 4 if something is wrong.
    """
    console = state_of(ctx).console()
    with kept_stdout():
        reports = check(package)
    if console.json:
        click.echo(json.dumps([report.to_mapping() for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            click.echo(f"{'ok' if not report.problems else 'FAIL':<5}{report.subject}")
            for line in [*report.problems, *([f"not tried: {report.note}"] if report.note else [])]:
                click.echo(f"     - {line}")
    wrong = sum(bool(report.problems) for report in reports)
    if wrong:
        raise PluginError(f"{package}: {wrong} of {len(reports)} checks failed")


@click.command("new")
@click.argument("name", metavar="NAME")
@click.option(
    "--dir", "parent", metavar="PATH", default=Path(), type=click.Path(path_type=Path),
    help="The folder to write NAME/ into.  [default: this one]",
)  # fmt: skip
@click.option(
    "--kind", type=click.Choice(list(TRIALS)), default="sampler", show_default=True, help="What the plugin brings.",
)  # fmt: skip
@click.pass_context
def new_plugin(ctx: click.Context, name: str, parent: Path, kind: str) -> None:
    """Write a new plugin called NAME, as a whole distribution in ./NAME/, and refuse to overwrite anything.

    It works as it is: install it, run its tests, use it. Then replace the example with your own work.
    """
    state = state_of(ctx)
    ours = [record for record in state.registry.records if record.distribution == OURS]
    plurals = ("tasks", "commands") if kind == "task" else (f"{kind}s",)
    taken = {each for record in ours for plural in plurals for each in record.provides.get(plural, ())}
    names = Names.of(
        name,
        kind=kind,
        taken=taken | set(BUILT_IN_COMMANDS if kind == "task" else ()),
        packages={"vall_e_core", *(each.target.partition(":")[0] for each in find() if each.ours)},
    )
    folder, written = write_plugin(names, parent)
    if state.console().json:
        click.echo(json.dumps({"folder": str(folder), "distribution": names.distribution, "files": written}, indent=2))
        return
    click.echo("\n".join(str(folder / each) for each in written))
    click.echo(f"\nNext: pip install -e {folder}; pytest {folder}; vall-e plugins check {name}")


@click.command("show")
@click.argument("name")
@click.pass_context
def show_sampler(ctx: click.Context, name: str) -> None:
    """Show the reference page of one sampler: formula, source, parameters, place in a chain, and its use for speech."""
    state = state_of(ctx)
    console = state.console()
    sampler = state.registry.sampler(name)
    page = page_of(sampler, state.registry.samplers())
    if console.json:
        page = json.dumps({**sampler_facts(name, sampler), "page": page}, indent=2, ensure_ascii=False) + "\n"
    click.echo(page, nl=False)
