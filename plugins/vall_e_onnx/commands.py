"""`vall-e engines list | clear`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

import click

from vall_e_core import Engine, InputError

from .store import files, folder

if TYPE_CHECKING:
    from vall_e_core import Registry


class State(Protocol):
    """What the program hands to its commands: click's `ctx.obj`."""

    @property
    def registry(self) -> Registry:
        """All plugins."""


@click.group()
def engines() -> None:
    """List what can run a model's layers, and delete converted weights.

    Converted weights are in the cache folder (VALL_E_HOME sets another one) and are made again when needed.
    """


@engines.command("list")
@click.option("--json", "json_", is_flag=True, help="print the result as JSON")
@click.pass_obj
def list_engines(state: State, json_: bool) -> None:
    """List the engines, their devices, and whether they are ready."""
    rows: list[dict[str, object]] = [
        {
            "name": "eager", "devices": ["cpu", "cuda", "mps"], "dtypes": ["bfloat16", "float16", "float32"],
            "quantizations": ["none"], "available": True, "summary": "The core itself: the reference.",
        }
    ]  # fmt: skip
    for name, engine in state.registry.all(Engine).items():
        rows.append(
            {
                "name": name, "devices": sorted(engine.devices), "dtypes": sorted(engine.dtypes),
                "quantizations": sorted(engine.quantizations), "available": engine.available(),
                "summary": engine.summary(),
            }
        )  # fmt: skip
    kept = files()
    size = sum(each.stat().st_size for each in kept)
    if json_:
        click.echo(json.dumps({"engines": rows, "cache": str(folder()), "files": len(kept), "bytes": size}, indent=1))
        return
    for row in rows:
        ready = "ready" if row["available"] else "not installed"
        click.echo(f"{row['name']:<10}  {ready:<13}  {row['summary']}")
    click.echo(f"\ncache: {folder()} ({len(kept)} files, {size / 1e6:.0f} MB)")


@engines.command()
def clear() -> None:
    """Delete all converted weights."""
    removed, size, stuck = 0, 0, list[OSError]()
    for each in files():
        try:
            bytes_ = each.stat().st_size
            each.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            stuck.append(error)
            continue
        removed, size = removed + 1, size + bytes_
    click.echo(f"removed {removed} files, {size / 1e6:.0f} MB")
    if stuck:
        raise InputError(
            f"can't remove {stuck[0].filename}" + (f" and {len(stuck) - 1} more" if len(stuck) > 1 else ""),
            cause=stuck[0].strerror, try_=f"look at the permissions of {folder()}",
        )  # fmt: skip
