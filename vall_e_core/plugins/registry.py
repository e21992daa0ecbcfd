"""All components by kind and name. A `Registry` is an object: `main` makes one, a test makes its own."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import Distribution
from typing import TypeVar, cast

from ..component import Component
from ..errors import FAILURES, PluginError, UsageError, suggestion
from ..kinds import LazyCommand, LazyTask, Sampler, Task
from ..owners import Owner, blaming, failure, owner_by_module
from .loader import OURS, Collector, Found, PluginRecord, Provided, describe, find, resolve_task
from .needs import lacking

BUILT_IN_COMMANDS = ("plugins", "plugins list", "samplers", "samplers list")
"""Commands of the core itself; a plugin's of the same name is reached as `dist/name`."""

_C = TypeVar("_C", bound=Component)
_LISTINGS = {"sampler": "vall-e samplers list", "model": "vall-e models list", "voice": "vall-e voices list"}
"""What shows all of a kind, where that isn't `vall-e plugins list`."""


class Registry:
    """The plugins and their components.

    A component is addressed by its bare name or by `distribution/name`. If two have the same name, the first-party
    one (else the first by distribution) keeps the bare name.
    """

    def __init__(self) -> None:
        self.records: list[PluginRecord] = []
        self.notes: list[str] = []
        """What the user should know about loading: names that match no plugin."""
        self._collector = Collector()
        self._bare: dict[str, dict[str, Provided]] = defaultdict(dict)
        self._qualified: dict[str, dict[str, Provided]] = defaultdict(dict)
        self._owners: dict[int, tuple[object, Owner]] = {}

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] | None = None,
        third_party: bool = True,
        installed: Iterable[Distribution] | None = None,
    ) -> Registry:
        """Load all installed plugins, one by one; broken ones are recorded and left out.

        `VALL_E_PLUGINS` names the third-party plugins or distributions to load (empty: none), `VALL_E_DISABLE` those
        not to load, first-party ones included. `VALL_E_STRICT_PLUGINS=1` raises PluginError for the first broken one.

        Args:
            third_party: False is `--no-plugins`.
            installed: the distributions to look at, instead of those on `sys.path`.
        """
        environ = os.environ if environ is None else environ
        only = _names(environ.get("VALL_E_PLUGINS"))
        disabled = _names(environ.get("VALL_E_DISABLE")) or frozenset()
        strict = environ.get("VALL_E_STRICT_PLUGINS", "") not in ("", "0")
        made = cls()
        found = find(installed)

        def disabled_one(each: Found) -> bool:
            names = {each.name, each.distribution, f"{each.distribution}/{each.name}"}
            foreign = not each.ours and (not third_party or (only is not None and names.isdisjoint(only)))
            return foreign or not names.isdisjoint(disabled - {OURS})

        # all kinds are known before anything of a kind is registered
        loaded = [_disabled(each) if disabled_one(each) else made._loaded(each, strict=strict) for each in found]
        reasons = lacking({each.found: each.standing for each in loaded})
        made.records = [made._registered(each, strict=strict, lacks=reasons.get(each.found)) for each in loaded]
        known = {name for each in found for name in (each.name, each.distribution, f"{each.distribution}/{each.name}")}
        for variable, wanted in (("VALL_E_PLUGINS", only), ("VALL_E_DISABLE", disabled)):
            for name in sorted((wanted or frozenset()) - known):
                made.notes.append(f"{variable} names {name}, and no such plugin is installed")
        return made

    def _loaded(self, found: Found, *, strict: bool) -> _Loaded:
        """A plugin's module, after its kinds are known; or what became of it."""
        began = time.perf_counter()
        try:
            if found.problem is not None:
                raise PluginError(found.problem)
            plugin = found.load()
            self._collector.learn(plugin)
        except FAILURES as error:
            return _Loaded(found, record=_broken(found, error, began, strict=strict))
        return _Loaded(found, time.perf_counter() - began, plugin)

    def _registered(self, loaded: _Loaded, *, strict: bool, lacks: str | None = None) -> PluginRecord:
        if loaded.record is not None:
            return loaded.record
        began = time.perf_counter() - loaded.seconds
        try:
            if lacks is not None:
                raise PluginError(lacks)
            return self._register(loaded.found, loaded.plugin, began)
        except FAILURES as error:
            return _broken(loaded.found, error, began, strict=strict)

    def register(self, plugin: object, *, name: str, distribution: str = "local", version: str = "0") -> PluginRecord:
        """Add a plugin object directly, for tests and notebooks. Raises PluginError if it is broken."""
        self._collector.learn(plugin)
        record = self._register(Found(name, "", distribution, version), plugin, time.perf_counter())
        self.records.append(record)
        return record

    def _register(self, found: Found, plugin: object, began: float) -> PluginRecord:
        brought = self._collector.collect(plugin, f"{found.distribution}/{found.name}", check=not found.ours)
        try:
            self._refuse(found, brought)
        except PluginError:
            self._collector.forget(plugin)
            raise
        provides: dict[str, list[str]] = {}
        for kind, component in brought:
            qualified = f"{found.distribution}/{component.name}"
            self._qualified[kind][qualified] = component
            label = f"the plugin {found.name} ({found.distribution} {found.version})"
            self._owners[id(component)] = component, Owner(label, found.ours)
            free = component.name not in self._bare[kind] and not self._reserved(kind, component.name)
            if free:
                self._bare[kind][component.name] = component
            provides.setdefault(f"{kind}s", []).append(component.name if free else qualified)
        ms = (time.perf_counter() - began) * 1000
        listed = {kind: tuple(names) for kind, names in provides.items()}
        return PluginRecord(found.name, found.distribution, found.version, "ok", None, ms, listed)

    @property
    def kinds(self) -> dict[str, type[Component]]:
        """Every kind of component that is known, by name."""
        return self._collector.kinds

    def owner(self, component: type[Component]) -> Owner:
        """Whose a component is: for messages, and to know how far it is trusted."""
        known = self._owners.get(id(component))
        return owner_by_module(component) if known is None else known[1]

    def blame(self, error: BaseException) -> PluginError | None:
        """What to say of an error that a third party's code raised, by the innermost frame of a plugin or of ours."""
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_globals.get("__name__", ""))
            trace = trace.tb_next
        roots = {
            each.__module__.partition(".")[0]: owner
            for each, owner in self._owners.values() if isinstance(each, type)
        }  # fmt: skip
        for root in (name.partition(".")[0] for name in reversed(frames)):
            owner = roots.get(root)
            if owner is not None and not owner.ours:
                return failure(owner.label, None, None, error)
            if owner is not None or root == "vall_e_core":
                return None
        return None

    def blaming(self) -> AbstractContextManager[None]:
        """Within the block, what a third party's code raises is its failure: PluginError, with the plugin's name."""
        return blaming(self.blame)

    def _reserved(self, kind: str, name: str) -> bool:
        if kind not in ("task", "command"):
            return False
        other = "command" if kind == "task" else "task"
        return name in BUILT_IN_COMMANDS or name in self._bare[other]

    def _refuse(self, found: Found, brought: list[tuple[str, Provided]]) -> None:
        """Clashes that no name can settle."""
        seen: set[tuple[str, str]] = set()
        for kind, component in brought:
            if (kind, component.name) in seen or f"{found.distribution}/{component.name}" in self._qualified[kind]:
                raise PluginError(f"{found.distribution} brings two {kind}s called {component.name}")
            seen.add((kind, component.name))
            spellings = set() if kind != "sampler" or found.ours else _spellings(component)
            for name, other in self._qualified["sampler"].items() if spellings else ():
                owner = name.partition("/")[0]
                if owner != found.distribution and (clash := spellings & _spellings(other)):
                    raise PluginError(f"{component.name}: the flag {min(clash)} belongs to {owner}")

    def names(self, kind: str) -> list[str]:
        """The names of the components of a kind: bare, or qualified if another owns the bare name."""
        bare, qualified = self._bare[kind], self._qualified[kind]
        held = set(map(id, bare.values()))
        return [*bare, *(name for name, component in qualified.items() if id(component) not in held)]

    def _find(self, kind: str, name: str) -> Provided:
        held = {**self._qualified[kind], **self._bare[kind]}
        found = held.get(name, held.get(name.replace("_", "-").lower()))
        if found is None:
            raise UsageError(
                f"no {kind} is called {name!r}",
                cause=self.not_loaded(),
                try_=suggestion(name, self.names(kind), _LISTINGS.get(kind, "vall-e plugins list")),
            )
        return found

    def not_loaded(self) -> str | None:
        """The unloaded plugins that may provide what isn't found; None if all are loaded."""
        parts = []
        for status in ("broken", "disabled"):
            names = [each.name for each in self.records if each.status == status]
            if names:
                parts.append(f"{status} plugins may provide it: {', '.join(names)}")
        return "; ".join(parts) or None

    def get(self, kind: str, name: str) -> type[Component]:
        """A component's class by its bare or qualified name. Raises UsageError with a did-you-mean."""
        if kind not in self.kinds:
            raise UsageError(f"no kind of component is called {kind!r}", try_=suggestion(kind, self.kinds))
        found = self._find(kind, name)
        if not isinstance(found, type):
            made = resolve_task(found)
            self._owners[id(made)] = made, self._owners[id(found)][1]
            return made
        return found

    def all(self, kind: type[_C]) -> dict[str, type[_C]]:
        """Every component of a kind (`Codec`, `Phonemizer`, …) by the name that addresses it, in order of loading."""
        return {name: cast("type[_C]", self.get(kind.kind, name)) for name in self.names(kind.kind)}

    def sampler(self, name: str) -> type[Sampler]:
        """A sampler by name. Raises UsageError."""
        return cast("type[Sampler]", self.get("sampler", name))

    def samplers(self) -> tuple[type[Sampler], ...]:
        """All samplers."""
        return tuple(self.all(Sampler).values())

    def task(self, name: str) -> type[Task]:
        """A task by name. Raises UsageError."""
        return cast("type[Task]", self.get("task", name))

    def tasks(self) -> dict[str, type[Task] | LazyTask]:
        """All tasks by name; none is imported for it."""
        return {name: cast("type[Task] | LazyTask", self._find("task", name)) for name in self.names("task")}

    def commands(self) -> dict[str, LazyCommand]:
        """The commands of plugins, by name."""
        return {name: cast(LazyCommand, self._find("command", name)) for name in self.names("command")}


@dataclass(frozen=True)
class _Loaded:
    """A plugin whose module was imported, or the record of one that can't be."""

    found: Found
    seconds: float = 0.0
    plugin: object = None
    record: PluginRecord | None = None

    @property
    def standing(self) -> tuple[str, Sequence[str]]:
        """Its status so far, and the plugins that it needs."""
        needs = getattr(self.plugin, "requires", ())
        return self.record.status if self.record else "ok", (needs,) if isinstance(needs, str) else needs


def _disabled(found: Found) -> _Loaded:
    return _Loaded(found, record=PluginRecord(found.name, found.distribution, found.version, "disabled"))


def _broken(found: Found, error: BaseException, began: float, *, strict: bool) -> PluginRecord:
    if strict:
        raise PluginError(f"plugin {found.name} of {found.distribution} is broken", cause=describe(error)) from error
    ms = (time.perf_counter() - began) * 1000
    return PluginRecord(found.name, found.distribution, found.version, "broken", describe(error), ms)


def _names(text: str | None) -> frozenset[str] | None:
    """A comma-separated variable; None where it isn't set, empty where it is set to nothing."""
    if text is None:
        return None
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _spellings(sampler: Provided) -> set[str]:
    params = cast("type[Sampler]", sampler).params()
    return {spelling for param in params for flag in param.flags for spelling in (flag.name, *flag.aliases)}
