"""What `vall-e plugins check` tries: everything a plugin brings, as strictly as its users would wish."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vall_e_core import (
    MISSING,
    BuildContext,
    Codec,
    Component,
    LazyCommand,
    LazyTask,
    Normalizer,
    Phonemizer,
    PluginError,
    Sampler,
    Task,
    VallEError,
    suggestion,
)
from vall_e_core.plugins import FAILURES, Collector, Found, Provided, describe, find, resolve_command, resolve_task
from vall_e_schema import component_schema

from .contract.declared import NotBuilt, declaration

HEAVY = ("torch", "numpy", "encodec", "vocos", "phonemizer", "soundfile", "soxr", "yaml", "transformers", "scipy")
"""What a registration module must not import."""


@dataclass(frozen=True)
class Report:
    """One thing that was looked at, and what is wrong with it."""

    subject: str
    problems: tuple[str, ...]
    note: str = ""
    """Why it couldn't be tried on this machine."""

    def to_mapping(self) -> dict[str, object]:
        """As `--json` prints it."""
        told = {"note": self.note} if self.note else {}
        return {"subject": self.subject, "ok": not self.problems, "problems": list(self.problems), **told}


@dataclass(frozen=True)
class Trial:
    """One thing to look at: `run` does, and returns what is wrong with it. Raises NotBuilt where it can't be tried."""

    subject: str
    run: Callable[[], Sequence[str]]


def check(package: str) -> list[Report]:
    """Check the plugins that a name stands for. Raises PluginError where there are none or one doesn't load."""
    return [_report(each) for each in trials(_named(package))]


def _report(trial: Trial) -> Report:
    try:
        return Report(trial.subject, tuple(trial.run()))
    except NotBuilt as error:
        return Report(trial.subject, (), str(error))


def trials(plugins: Sequence[Found]) -> list[Trial]:
    """What there is to look at in plugins. Raises PluginError where one doesn't load."""
    made: list[Trial] = []
    for found in plugins:
        label = f"plugin {found.name} ({found.distribution} {found.version})"
        try:
            if found.problem is not None:
                raise PluginError(found.problem)
            brought = _collected(found)
        except FAILURES as error:
            raise PluginError(f"{label} is broken", cause=describe(error)) from error
        made.append(Trial(label, partial(heavy_imports, found.target.partition(":")[0])))
        made += [Trial(f"{kind} {component.name}", partial(_problems, component)) for kind, component in brought]
    return made


def _named(package: str) -> list[Found]:
    installed = find()
    wanted = package.replace("_", "-").lower()
    chosen = [
        each
        for each in installed
        if wanted in (each.name.replace("_", "-").lower(), each.distribution, f"{each.distribution}/{each.name}")
        or each.target.partition(":")[0] == package
    ]
    chosen = chosen or [each for each in installed if package in _brought(each)] or source_folder(Path(package))
    if chosen:
        return chosen
    try:
        importlib.import_module(package)
    except (ModuleNotFoundError, ValueError) as error:
        names = [name for each in installed for name in (each.name, each.distribution)]
        raise PluginError(
            f"no plugin, distribution, component, folder or module is called {package!r}",
            try_=suggestion(package, set(names)),
        ) from error
    except FAILURES as error:
        raise PluginError(f"{package} can't be imported", cause=describe(error)) from error
    return [Found(package, package, "not installed", "?")]


def _brought(found: Found) -> set[str]:
    """The names of what a plugin brings; none where it is broken."""
    try:
        return {component.name for _, component in _collected(found)}
    except FAILURES:
        return set()


def _collected(found: Found) -> list[tuple[str, Provided]]:
    """What a plugin brings, of the core's kinds and of those that installed plugins bring. Raises what is wrong."""
    collector = Collector()
    for each in find():
        if each.problem is None and each != found:
            with suppress(*FAILURES):
                collector.learn(each.load())
    plugin = found.load()
    collector.learn(plugin)
    return collector.collect(plugin, found.name)


def source_folder(folder: Path) -> list[Found]:
    """The plugins that a distribution's source declares in its pyproject.toml; they can be imported from now on."""
    try:
        text = (folder / "pyproject.toml").read_text("utf-8")
    except (OSError, UnicodeError, ValueError):
        return []
    found = [
        Found(name, target, folder.resolve().name, "not installed")
        for name, target in re.findall(r"""^["']?([\w.-]+)["']?\s*=\s*["']([\w.:]+)["']\s*$""", _entries(text), re.M)
    ]
    if found:
        roots = [str(each.resolve()) for each in (folder / "src", folder) if each.is_dir()]
        sys.path[:0] = [each for each in roots if each not in sys.path]
    return found


def _entries(text: str) -> str:
    """The lines of a pyproject.toml that declare plugins. (Python 3.10 has no TOML parser.)"""
    parts = re.split(r"""^\[project\.entry-points\.["']?vall_e["']?\]\s*$""", text, maxsplit=1, flags=re.M)
    return re.split(r"^\[", parts[1], maxsplit=1, flags=re.M)[0] if len(parts) == 2 else ""


def heavy_imports(module: str) -> list[str]:
    """What importing a registration module pulls in, seen in a process of its own."""
    code = (
        f"import sys; import vall_e_core; before = set(sys.modules); import {module}\n"
        f"print(*sorted({set(HEAVY)!r} & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=_environment(), check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it fails without a word"]
        return [f"importing {module} by itself fails: {lines[-1]}"]
    names = done.stdout.split()
    return [f"importing {module} imports {', '.join(names)}: move that into build()"] if names else []


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _problems(component: Provided) -> list[str]:
    if isinstance(component, LazyTask):
        return _caught("loading it", lambda: resolve_task(component)) or _of_task(resolve_task(component), component)
    if isinstance(component, LazyCommand):
        return _caught("loading it", lambda: resolve_command(component))
    for kind, suite in _SUITES.items():
        if issubclass(component, kind):
            return [*suite(component), *_schema(component)]
    if component.kind in _OF_PACKAGES:
        return [*_OF_PACKAGES[component.kind](component), *_schema(component)]
    problems = list(declaration(component, Component))
    required = [each.key for each in component.params() if each.required]
    if required and not _example(component):
        return [*problems, f"no default for {', '.join(required)}"]
    return [*problems, *_round_trip(component), *_build(component)]


def _of_task(task: type[Task], lazy: LazyTask) -> list[str]:
    """What holds of every task, and that the list of commands says of it what its help says."""
    said = [] if task.summary() == lazy.summary() else [f"its summary is {task.summary()!r}, listed is {lazy.help!r}"]
    return [*said, *_problems(task)]


def _schema(component: type[Component]) -> list[str]:
    """As `_round_trip`, where an instance can be made."""
    return [] if any(each.required for each in component.params()) else _round_trip(component)


def _example(component: type[Component]) -> Mapping[str, object]:
    """Parameters to try it with: none where all have defaults; else what the contract suite would begin with."""
    if not issubclass(component, Sampler) or not any(each.required for each in component.params()):
        return {}
    from .contract.probes import instances

    return next((each.to_mapping() for each in instances(component)), {})


def _round_trip(component: type[Component]) -> list[str]:
    """Defaults, mapping, text and schema agree with each other."""
    try:
        made = component.from_mapping(_example(component))
        if component.from_mapping(made.to_mapping()) != made:
            return ["from_mapping(to_mapping()) isn't equal to the instance"]
        import json

        json.dumps(component_schema(component), allow_nan=False)
    except (VallEError, ValueError, TypeError) as error:
        return [f"its defaults or schema are invalid: {describe(error)}"]
    return _sampler_text(made) if isinstance(made, Sampler) else []


def _sampler_text(made: Sampler) -> list[str]:
    changed = {
        each.key: each.neutral for each in made.params() if each.neutral is not MISSING and each.neutral is not None
    }
    try:
        other = type(made).from_mapping({**_example(type(made)), **changed})
        if type(made).from_spec(other.to_spec().partition(":")[2]) != other:
            return ["from_spec(to_spec()) isn't equal to the instance"]
    except (VallEError, ValueError) as error:
        return [f"its neutral values are refused: {describe(error)}"]
    if changed and not other.is_neutral():
        return ["is_neutral() is false at its own neutral values"]
    return []


def _build(component: type[Component]) -> list[str]:
    """Samplers are built and put through the contract suite; models, voices and engines aren't tried."""
    if not issubclass(component, Sampler):
        return []
    context = BuildContext(vocab_size=1025, stop_token=1024, frame_rate=75.0, stage=min(component.stages))
    problems = _caught("build() with its defaults", lambda: component.from_mapping(_example(component)).build(context))
    if problems:
        return problems
    suite = _contract_suite()
    if suite is None:
        return []
    try:
        return list(suite(component))
    except Exception as error:  # the suite runs a plugin's own code, which may raise anything
        return [f"the contract suite stopped: {describe(error)}"]


def _later(module: str, name: str) -> Callable[[Any], Sequence[str]]:
    """A contract suite, imported (and torch with it) when it is first used."""

    def suite(component: type[Component]) -> Sequence[str]:
        found: Sequence[str] = getattr(importlib.import_module(f"{__package__}.contract.{module}"), name)(component)
        return found

    return suite


def _contract_suite() -> Callable[[type[Sampler]], Sequence[str]] | None:
    try:
        testing = importlib.import_module("vall_e_authoring.testing")
    except ImportError:
        return None
    found = getattr(testing, "check_sampler", None)
    return found if callable(found) else None


_SUITES: Mapping[type[Component], Callable[[Any], Sequence[str]]] = {
    Codec: _later("codecs", "codec_problems"),
    Phonemizer: _later("phonemizers", "phonemizer_problems"),
    Normalizer: _later("normalizers", "normalizer_problems"),
    Task: _later("tasks", "check_task"),
}
"""The contract suite of each kind that has one, samplers aside."""
_OF_PACKAGES: Mapping[str, Callable[[Any], Sequence[str]]] = {"speller": _later("spellers", "speller_problems")}
"""The same of kinds that packages bring, by name."""


def _caught(what: str, call: Callable[[], object]) -> list[str]:
    """A plugin's own code may raise anything; here that is the finding."""
    try:
        call()
    except FAILURES as error:
        return [f"{what} fails: {describe(error)}"]
    return []
