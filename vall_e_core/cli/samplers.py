"""`vall-e samplers list`; plugins bring `show`, `explain` and `plot`."""

from __future__ import annotations

import json

import click

from ..kinds import Sampler
from ..parameters import MISSING, Param
from ..sampling.places import canonical
from .group import OpenGroup
from .state import state_of


@click.group(cls=OpenGroup)
def samplers() -> None:
    """List samplers, show one, explain a chain, plot a trace."""


@samplers.command("list")
@click.pass_context
def list_samplers(ctx: click.Context) -> None:
    """List every sampler in canonical order, with its parameters, defaults and plain flags."""
    state = state_of(ctx)
    console = state.console()
    state.warn_of_broken(console)
    names = {sampler: name for name, sampler in state.registry.all(Sampler).items()}
    found = [(names[each], each) for each in canonical(names)]
    if console.json:
        click.echo(json.dumps([sampler_facts(name, sampler) for name, sampler in found], indent=2, ensure_ascii=False))
        return
    for name, sampler in found:
        stages = ", ".join(sorted(sampler.stages))
        mark = ", experimental" if sampler.experimental else ""
        click.echo(f"{name}  [{sampler.role}; {stages}{mark}]")
        click.echo(f"    {sampler.summary()}")
        for param in sampler.params():
            click.echo(f"      {_signature(param)}  {param.describe()}")


def _signature(param: Param) -> str:
    default = "required" if param.required else f"= {param.type.format(param.default)}"
    flags = "".join(f" {flag.name}" for flag in param.flags)
    return f"{param.key} {default}{flags}{' (NAME:VALUE)' if param.primary else ''}"


def sampler_facts(name: str, sampler: type[Sampler]) -> dict[str, object]:
    """What is declared of a sampler, as `--json` prints it."""
    parameters = [
        {
            "name": each.key, "default": None if each.required else each.plain(each.default),
            "neutral": None if each.neutral is MISSING else each.plain(each.neutral), "primary": each.primary,
            "flags": [flag.name for flag in each.flags], "help": each.describe(),
        }
        for each in sampler.params()
    ]  # fmt: skip
    return {
        "name": name, "role": sampler.role, "place": sampler.place, "stages": sorted(sampler.stages),
        "experimental": sampler.experimental, "help": sampler.summary(), "parameters": parameters,
    }  # fmt: skip
