"""`vall-e schema KIND NAME`."""

from __future__ import annotations

import json

import click

from vall_e_core import Task
from vall_e_core.cli import state_of
from vall_e_schema import component_schema, file_schema


@click.command()
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
@click.pass_context
def schema(ctx: click.Context, kind: str, name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of a component's parameters.

    KIND is sampler, codec, phonemizer, normalizer, speller, task, model, voice, scorer, judge or engine. For a task,
    it is the schema of a --config file.
    """
    registry = state_of(ctx).registry
    component = registry.get(kind, name)
    made = file_schema(component, registry.samplers()) if issubclass(component, Task) else component_schema(component)
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))
