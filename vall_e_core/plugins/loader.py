"""Finding entry points, and turning one plugin's module into the components it brings.

Every step is guarded, because what is installed beside us is not ours: a distribution with a malformed
`entry_points.txt`, a module that doesn't import or calls `sys.exit`, a hook nobody knows, a component that isn't one.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any, Literal

import pluggy

from ..component import Component
from ..errors import FAILURES, PluginError, did_you_mean
from ..hooks import KIND_HOOK, PROJECT, HookSpecs, specification
from ..kinds import KINDS, LazyCommand, LazyTask, Normalizer, Sampler, Task
from ..kinds.sampler import PLACES
from ..streams import kept_stdout

GROUP = "vall_e"
OURS = "vall-e"
UNKNOWN = "?"
SLOW_MS = 200.0
_PREFIX = f"{PROJECT}_"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*\Z")

Provided = type[Component] | LazyCommand


@dataclass(frozen=True)
class Found:
    """An entry point that was found; `problem` tells why it can't even be read."""

    name: str
    target: str
    distribution: str
    version: str
    problem: str | None = None

    @property
    def ours(self) -> bool:
        """Whether it belongs to this distribution."""
        return self.distribution == OURS

    def load(self) -> object:
        """The module or object it names. What it prints meanwhile goes to stderr: stdout is for results."""
        with kept_stdout():
            return EntryPoint(self.name, self.target, GROUP).load()


@dataclass(frozen=True)
class PluginRecord:
    """What became of one plugin. `provides` lists names by the plural of their kind, as a user addresses them."""

    name: str
    distribution: str
    version: str
    status: Literal["ok", "broken", "disabled"]
    error: str | None = None
    ms: float = 0.0
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def slow(self) -> bool:
        """Whether loading it took so long that every command feels it."""
        return self.ms > SLOW_MS

    def to_mapping(self) -> dict[str, object]:
        """As `plugins list --json` prints it."""
        provides = {kind: list(names) for kind, names in self.provides.items()}
        return {**dataclasses.asdict(self), "ms": round(self.ms, 2), "provides": provides}


def find(installed: Iterable[Distribution] | None = None) -> list[Found]:
    """All entry points of the group: ours first, then by distribution and name. Never raises for what it meets.

    Of a distribution that is installed in two places the first on the path counts, as for imports.
    """
    found: dict[Found, None] = {}
    seen: set[str] = set()
    for one in distributions() if installed is None else installed:
        brought = dict.fromkeys(_of(one))
        names = {each.distribution for each in brought}
        if names.isdisjoint(seen):
            found.update(brought)
            seen |= names - {UNKNOWN}
    return sorted(found, key=lambda each: (not each.ours, each.distribution, each.name, each.target))


def _of(distribution: Distribution) -> Iterator[Found]:
    try:
        text = distribution.read_text("entry_points.txt")
    except (OSError, UnicodeError) as error:
        yield Found(UNKNOWN, "", UNKNOWN, UNKNOWN, f"its entry points can't be read: {error}")
        return
    if text is None or f"[{GROUP}]" not in text:
        return
    name, version = UNKNOWN, UNKNOWN
    try:
        metadata = distribution.metadata
        name, version = str(metadata["Name"] or UNKNOWN), str(metadata["Version"] or UNKNOWN)
    except (OSError, UnicodeError, KeyError, TypeError) as error:
        yield Found(UNKNOWN, "", name, version, f"its metadata can't be read: {error}")
        return
    name = re.sub(r"[-_.]+", "-", name).lower()
    unfit = None if name == OURS else _unfit(distribution)
    for line in _section(text):
        left, equals, right = (part.strip() for part in line.partition("="))
        problem = unfit if equals and left and right else f"malformed entry point: {line!r}"
        yield Found(left or UNKNOWN, right, name, version, problem)


def _unfit(distribution: Distribution) -> str | None:
    """Why a distribution doesn't fit this version, by what it says it requires; None where it does, or doesn't say."""
    try:
        named = re.compile(rf"{OURS}\s*[^\w\s;.-]", re.IGNORECASE)
        wanted = [each for each in distribution.requires or () if named.match(each)]
    except (OSError, UnicodeError):
        return None
    for text in wanted:
        from packaging.requirements import InvalidRequirement, Requirement

        from .. import __version__

        with suppress(InvalidRequirement):
            found = Requirement(text)
            applies = found.marker is None or found.marker.evaluate({"extra": ""})
            if applies and not found.specifier.contains(__version__, prereleases=True):
                return f"it was written for vall-e {found.specifier}, this is {__version__}"
    return None


def _section(text: str) -> Iterator[str]:
    inside = False
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and line and not line.startswith(("#", ";")):
            yield line


class _Manager(pluggy.PluginManager):
    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Of a module only functions are looked at: its imports and constants cost `vall-e --help` a twentieth."""
        other = inspect.ismodule(plugin) and not inspect.isroutine(vars(plugin).get(name))
        return None if other else super().parse_hookimpl_opts(plugin, name)


class Collector:
    """What plugins can bring: the kinds that are known, and the signatures of their hooks."""

    def __init__(self) -> None:
        self.kinds: dict[str, type[Component]] = dict(KINDS)
        self._manager = _Manager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)

    @property
    def hooks(self) -> dict[str, str]:
        """Each hook that returns components, and their kind."""
        return {f"{_PREFIX}{kind}s": kind for kind in (*self.kinds, "command")}

    def learn(self, plugin: object) -> None:
        """Know the kinds that a plugin brings. Raises PluginError for what isn't one, or has another's name."""
        brings = getattr(plugin, KIND_HOOK, None)
        if brings is None:
            return
        with kept_stdout():
            found = _listed(KIND_HOOK, brings())
        for kind in found:
            if not (inspect.isclass(kind) and issubclass(kind, Component) and kind.kind.isidentifier()):
                raise PluginError(f"{KIND_HOOK} must return subclasses of Component with a kind, not {kind!r}")
            if self.kinds.get(kind.kind, kind) is not kind:
                raise PluginError(f"there is another kind called {kind.kind}")
            if kind.kind not in self.kinds:
                self.kinds[kind.kind] = kind
                self._manager.add_hookspecs(specification(f"{_PREFIX}{kind.kind}s"))

    def collect(self, plugin: object, name: str, *, check: bool = True) -> list[tuple[str, Provided]]:
        """Kind and component of everything a plugin brings. What is wrong raises, and leaves nothing behind.

        `check=False` is for ours, which tests have checked: it takes a tenth of the time of `vall-e --help`.
        """
        with kept_stdout():
            self._manager.register(plugin, name=name)
            try:
                return self._collected(plugin, check)
            except BaseException:
                self._manager.unregister(plugin)
                raise

    def forget(self, plugin: object) -> None:
        """As if it had never been collected."""
        self._manager.unregister(plugin)

    def _collected(self, plugin: object, check: bool) -> list[tuple[str, Provided]]:
        brought: list[tuple[str, Provided]] = []
        callers = self._manager.get_hookcallers(plugin)
        if not callers:
            raise PluginError("it registers nothing: no function is marked with @hookimpl")
        hooks = self.hooks
        for caller in callers:
            if not caller.has_spec():
                if all(each.optionalhook for each in caller.get_hookimpls() if each.plugin is plugin):
                    continue
                near = did_you_mean(caller.name.removeprefix(_PREFIX), [hook.removeprefix(_PREFIX) for hook in hooks])
                newer = "it may have been written for a newer vall-e, or for a plugin that isn't loaded"
                hint = newer if near is None else f"did you mean {_PREFIX}{near}?"
                raise PluginError(f"unknown hook {caller.name}: {hint}")
            if caller.name == KIND_HOOK:
                continue
            kind = hooks[caller.name]
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    for each in _listed(caller.name, implementation.function()):
                        if check:
                            check_component(each, None if kind == "command" else self.kinds[kind])
                        brought.append((kind, each))
        return brought


def _listed(hook: str, returned: object) -> list[Any]:
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise PluginError(f"{hook} must return a list of components, not {returned!r}")
    return list(returned)


def check_component(component: object, base: type[Component] | None) -> None:
    """Raises PluginError where something isn't a well-made component of a kind, or (None) a command; builds nothing."""
    if base is None or (base is Task and isinstance(component, LazyTask)):
        if not isinstance(component, LazyCommand):
            raise PluginError(f"vall_e_commands must return LazyCommand objects, not {component!r}")
        group, _, last = str(component.name).rpartition(" ")
        for word in (group, last) if group else (last,):
            _check_name(word, component.name)
        return
    if not (inspect.isclass(component) and issubclass(component, base)):
        raise PluginError(f"{component!r} isn't a subclass of {base.__name__}")
    _check_name(component.name, component.__name__)
    for attribute, value in vars(component).items():
        if isinstance(value, dataclasses.Field):
            raise PluginError(f"{component.__name__} has parameters ({attribute}) but lacks @dataclass(frozen=True)")
    try:
        params = component.params()
    except (TypeError, NameError, AttributeError) as error:
        raise PluginError(f"{component.__name__}: {error}") from error
    for each in params:
        try:
            if not each.required:
                each.check(each.default)
        except ValueError as error:
            raise PluginError(f"{component.__name__}.{each.name}: its default is invalid: {error}") from error
        for flag in each.flags:
            if not re.fullmatch(r"--[a-z0-9]+(-[a-z0-9]+)*", flag.name):
                raise PluginError(f"{component.__name__}.{each.name}: malformed flag {flag.name!r}")
    if sum(each.primary for each in params) > 1:
        raise PluginError(f"{component.__name__} has more than one primary parameter")
    if issubclass(component, Sampler) and "order" in vars(component):
        raise PluginError(f"{component.__name__} has an order, as samplers had before vall-e 0.2: declare its place")
    if issubclass(component, Sampler) and component.place not in PLACES:
        raise PluginError(f"{component.__name__}: unknown place {component.place!r}, one of: {', '.join(PLACES)}")
    if issubclass(component, Sampler) and component.role not in ("transform", "selector", "search"):
        raise PluginError(f"{component.__name__}: unknown role {component.role!r}")
    if issubclass(component, Normalizer):
        codes = component.languages
        if not codes or isinstance(codes, str) or not all(isinstance(code, str) for code in codes):
            raise PluginError(f"{component.__name__}: languages must be a set of language codes, not {codes!r}")


def _check_name(name: object, owner: str) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise PluginError(f"{owner}: a component needs a name of lower-case words joined by dashes, not {name!r}")


def describe(error: BaseException) -> str:
    """One line that says what went wrong in a plugin."""
    if isinstance(error, PluginError):
        return " ".join(error.message.split())
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def resolve_command(command: LazyCommand) -> object:
    """What a LazyCommand or LazyTask names. Raises PluginError."""
    module, _, attribute = command.target.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except FAILURES as error:
        what = "task" if isinstance(command, LazyTask) else "command"
        raise PluginError(f"the {what} {command.name} can't be loaded", cause=describe(error)) from error


def resolve_task(lazy: LazyCommand) -> type[Task]:
    """The task that a LazyTask names. Raises PluginError, also where it isn't a well-made one of that name."""
    with kept_stdout():
        task = resolve_command(lazy)
    check_component(task, Task)
    if not (isinstance(task, type) and issubclass(task, Task) and task.name == lazy.name):
        raise PluginError(f"the task {lazy.name} can't be loaded", cause=f"{lazy.target} has another name")
    return task
