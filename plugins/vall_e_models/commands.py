"""`vall-e models list | info | download | path | verify`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from vall_e_core import ModelError, ModelSource
from vall_e_files import cache_home, sha256_file

from . import PublishedModel, download_place
from .check import Verdict, note_download, verify_file
from .download import fetch

if TYPE_CHECKING:
    from vall_e_core import Console, Registry

Sources = Mapping[str, type[ModelSource]]


class State(Protocol):
    """What the program hands to its commands: click's `ctx.obj`."""

    @property
    def registry(self) -> Registry:
        """All plugins."""

    def console(self) -> Console:
        """As loud as the common options ask."""


as_json = click.option("--json", "json_", is_flag=True, help="print the result as JSON")


@click.group()
def models() -> None:
    """List, download and verify models.

    Only `download` uses the network. Files go to a cache folder; VALL_E_HOME sets another one.
    """


@models.command("list")
@as_json
@click.pass_obj
def list_models(state: State, json_: bool) -> None:
    """List the known models, and which of them are on this machine."""
    facts = [_facts(name, source) for name, source in _sources(state).items()]
    if _as_json(state, json_):
        _print_json(facts)
        return
    width = max((len(str(each["name"])) for each in facts), default=0)
    for each in facts:
        place = "here" if each["path"] is not None else _size(each["size"])
        mark = "  [default]" if each["default"] else ""
        click.echo(f"{each['name']:<{width}}  {place:>8}  {each['title']}{mark}")
    click.echo(f"\ncache: {cache_home()}")


@models.command()
@click.argument("name")
@as_json
@click.pass_obj
def info(state: State, name: str, json_: bool) -> None:
    """Show everything about a model."""
    found, source = _find(state, name)
    facts = _facts(found, source)
    if _as_json(state, json_):
        _print_json(facts)
        return
    rows = {
        "title": facts["title"],
        "license": facts["license"],
        "size": _size(facts["size"]),
        "page": facts["page"],
        "url": facts["url"] if facts["url"] is not None else "packaged: nothing to download",
        "sha256": facts["sha256"] if facts["sha256"] is not None or facts["url"] is None else "not known",
        "path": facts["path"] if facts["path"] is not None else f"not on this machine (goes to {facts['place']})",
    }
    click.echo(found)
    for key, value in rows.items():
        if value is not None:
            click.echo(f"  {key + ':':<9}{value}")


@models.command()
@click.argument("name")
@click.option("--offline", is_flag=True, help="refuse to download, as with VALL_E_OFFLINE=1")
@click.option("--force", is_flag=True, help="download it again even if it is here")
@as_json
@click.pass_obj
def download(state: State, name: str, offline: bool, force: bool, json_: bool) -> None:
    """Download a model into the cache. An interrupted download is resumed."""
    found, source = _find(state, name)
    console = state.console()
    fetched = False
    if source.url is None:
        path = _require(found, source)
        console.notice(f"{found} is packaged: there is nothing to download")
    else:
        path = download_place(source)
        with console.progress(found, None if source.size is None else source.size / 1e6, "MB") as bar:
            fetched = fetch(
                source.url,
                path,
                sha256=source.sha256,
                size=source.size,
                offline=offline,
                force=force,
                progress=lambda done, total: bar.to(round(done / 1e6, 1)),
                notify=console.notice,
            )
        if fetched and source.sha256 is None:
            note_download(path, sha256_file(path))
            console.notice(f"note: its publisher's hash isn't known, so {found} could not be checked against it")
    if _as_json(state, json_):
        _print_json({"name": found, "path": str(path), "fetched": fetched})
    else:
        click.echo(path)


@models.command()
@click.argument("name")
@click.pass_obj
def path(state: State, name: str) -> None:
    """Print the path of a model's file."""
    click.echo(_require(*_find(state, name)))


@models.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def verify(state: State, name: str | None, json_: bool) -> None:
    """Check the hashes of the files on this machine: of all models, or of one."""
    chosen = _sources(state) if name is None else dict([_find(state, name)])
    verdicts: dict[str, Verdict] = {}
    for each, source in chosen.items():
        file = source().path(None)
        if file is not None:
            verdicts[each] = verify_file(file, source.sha256, source.size)
        elif name is not None:
            _require(each, source)
    if _as_json(state, json_):
        _print_json([{"name": each, **asdict(verdict)} for each, verdict in verdicts.items()])
    else:
        for each, verdict in verdicts.items():
            click.echo(f"{each}: {verdict.status} ({verdict.detail})")
        if not verdicts:
            click.echo("no model has been downloaded")
    bad = [each for each, verdict in verdicts.items() if verdict.status == "damaged"]
    if bad:
        raise ModelError(f"damaged: {', '.join(bad)}", try_=f"vall-e models download --force {bad[0]}")


def _as_json(state: State, json_: bool) -> bool:
    """`--json` behind the command, or in front of it."""
    return json_ or state.console().json is True


def _sources(state: State) -> Sources:
    found: Sources = state.registry.all(ModelSource)
    return found


def _find(state: State, name: str) -> tuple[str, type[ModelSource]]:
    """A model by its name; upstream's spelling with plus signs is understood."""
    sources = _sources(state)
    for wanted in (name, name.lower().replace("+", "-").replace("_", "-")):
        if wanted in sources:
            return wanted, sources[wanted]
    raise ModelError(f"no such model: {name}", try_=f"one of {', '.join(sources)}")


def _require(name: str, source: type[ModelSource]) -> Path:
    path = source().path(None)
    if path is None:
        hint = f"vall-e models download {name}" if source.url is not None else "install vall-e again"
        raise ModelError(f"the model {name} isn't on this machine", try_=hint)
    return path


def _facts(name: str, source: type[ModelSource]) -> dict[str, object]:
    path = source().path(None)
    published = source if issubclass(source, PublishedModel) else PublishedModel
    size = source.size
    if size is None and path is not None:
        size = path.stat().st_size
    return {
        "name": name,
        "title": source.title or source.summary(),
        "purpose": published.purpose,
        "default": source.default,
        "license": source.license or None,
        "page": published.page or None,
        "url": source.url,
        "sha256": source.sha256,
        "size": size,
        "path": None if path is None else str(path),
        "place": None if source.url is None else str(download_place(source)),
    }


def _size(size: object) -> str:
    return f"{size / 1e6:.0f} MB" if isinstance(size, (int, float)) else "? MB"


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
