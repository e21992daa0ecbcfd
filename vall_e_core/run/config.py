"""Where a run's values come from: defaults, then the checkpoint's advice, then a YAML file, then the command line.

Each source is a layer. A key that a layer doesn't name is absent from it, so that 0, False and an empty text are
values like any other. Keys are spelled with dashes; a file may use underscores or a flag's alias too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, suggestion
from ..parameters import MISSING
from .options import Option, by_key, instead_of
from .plain_yaml import load_plain

if TYPE_CHECKING:
    from ..kinds import Sampler
    from ..plugins.registry import Registry

DEFAULT, CHECKPOINT, COMMAND_LINE = "default", "checkpoint", "command line"
_MAX_FILE = 1 << 20


@dataclass(frozen=True)
class SamplerSpec:
    """One `--sampler`: what was written, and the stage it is for (None: the task's first)."""

    name: str
    values: str | Mapping[str, object]
    stage: str | None = None

    @classmethod
    def parse(cls, written: object, stage: str | None) -> SamplerSpec:
        """`NAME[:…]`, or in a file also `{NAME: VALUE}` and `{NAME: {k: v}}`. Raises ValueError."""
        if isinstance(written, str):
            name, _, rest = written.partition(":")
            if not name.strip():
                raise ValueError(f"expected NAME[:VALUE|k=v,…], found {written!r}")
            return cls(name.strip(), rest, stage)
        if isinstance(written, Mapping) and len(written) == 1:
            (name, values), *_ = written.items()
            if values is None:
                values = ""
            if isinstance(values, bool | int | float):
                values = str(values).lower() if isinstance(values, bool) else repr(values)
            if isinstance(values, str | Mapping):
                return cls(str(name), values, stage)
        raise ValueError(f"expected NAME[:VALUE|k=v,…] or {{NAME: {{k: v}}}}, found {written!r}")

    def resolve(self, registry: Registry) -> Sampler:
        """The configured sampler. Raises UsageError."""
        several = re.split(r"[+,|\s]+", self.name)
        if len(several) > 1:
            raise UsageError(
                f"one --sampler names one sampler, not {self.name!r}",
                try_=" ".join(f"--sampler {name}" for name in several if name) or "vall-e samplers list",
            )
        cls = registry.sampler(self.name)
        if isinstance(self.values, str):
            return cls.from_spec(self.values)
        return cls.from_mapping(self.values)


@dataclass(frozen=True)
class Layer:
    """What one source says."""

    source: str
    values: Mapping[str, object] = field(default_factory=dict)
    chain: tuple[SamplerSpec, ...] = ()


@dataclass(frozen=True)
class RunConfig:
    """All layers of a run, lowest first. It never changes; `advise` makes another one."""

    options: Mapping[str, Option]
    layers: tuple[Layer, ...]

    def value(self, key: str) -> object:
        """The value that counts. Raises KeyError where no layer names it."""
        for layer in reversed(self.layers):
            if key in layer.values:
                return layer.values[key]
        raise KeyError(key)

    def source(self, key: str) -> str | None:
        """Which layer's value counts: `default`, `checkpoint`, the file's path, `command line`; None where absent."""
        return next((layer.source for layer in reversed(self.layers) if key in layer.values), None)

    def given(self, key: str) -> bool:
        """Whether the user gave it, in the file or on the command line."""
        return self.source(key) not in (None, DEFAULT, CHECKPOINT)

    def merged(self, *roles: str) -> dict[str, object]:
        """The values that count, of the options with these roles (all without any)."""
        found: dict[str, object] = {}
        for layer in self.layers:
            found.update(layer.values)
        return {key: value for key, value in found.items() if not roles or self.options[key].role in roles}

    def advise(self, values: Mapping[str, object], source: str = CHECKPOINT) -> RunConfig:
        """With a layer just above the defaults. Keys that no option has, in any spelling, are left out: it is advice.

        Raises UsageError for a value that can't be.
        """
        table = by_key(self.options.values())
        known = {key: value for key, value in values.items() if str(key).replace("_", "-") in table}
        layer = check_layer(table, known, source)
        position = sum(each.source in (DEFAULT, CHECKPOINT) for each in self.layers)
        return RunConfig(self.options, (*self.layers[:position], layer, *self.layers[position:]))


def default_layer(options: Iterable[Option]) -> Layer:
    """The defaults. A plain sampler flag has none: an absent flag is off."""
    usual = (each for each in options if each.role in ("parameter", "common"))
    return Layer(DEFAULT, {each.key: each.param.default for each in usual if each.param.default is not MISSING})


def check_layer(table: Mapping[str, Option], values: Mapping[str, object], source: str) -> Layer:
    """Keys and values as read from somewhere, understood. Raises UsageError naming the source, with a did-you-mean."""
    checked: dict[str, object] = {}
    chain: list[SamplerSpec] = []
    for written, value in values.items():
        option = table.get(str(written).replace("_", "-"))
        if option is None:
            instead = instead_of(table.values(), str(written).replace("_", "-"))
            hint = suggestion(str(written), table) if instead is None else f"{instead} takes its place"
            raise UsageError(f"{source}: unknown key {str(written)!r}", try_=hint)
        try:
            if option.role == "chain":
                chain += [SamplerSpec.parse(each, option.stage) for each in _listed(value)]
                continue
            if option.key in checked:
                raise ValueError("is given twice, under two spellings")
            checked[option.key] = option.check(_counted(option, value))
        except ValueError as error:
            raise UsageError(f"{source}: {written}: {error}") from error
    return Layer(source, checked, tuple(chain))


def _listed(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _counted(option: Option, value: object) -> object:
    """`verbose: true` is a level as well."""
    return int(value) if option.role == "common" and option.key == "verbose" and isinstance(value, bool) else value


def read_file(path: Path) -> dict[str, object]:
    """The mapping in a YAML file. Raises UsageError where it can't be read as one."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain data only, and no key twice."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = loader.construct_object(key_node)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        if not path.is_file():
            raise UsageError(f"no such configuration file: {path}")
        if path.stat().st_size > _MAX_FILE:
            raise UsageError(f"{path} is too large to be a configuration file")
        loaded = load_plain(path.read_text(encoding="utf-8-sig"), Loader)
    except OSError as error:
        raise UsageError(f"can't read {path}", cause=error.strerror) from error
    except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} isn't valid YAML", cause=" ".join(str(error).split())) from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} must contain keys and values", try_="one flag on each line, such as   top-p: 0.9")
    return {str(key): value for key, value in loaded.items()}


def build_config(options: Sequence[Option], *, file: Path | None, given: Layer) -> RunConfig:
    """defaults < file < `given`; a checkpoint's advice comes later, by `advise`. Raises UsageError."""
    table = by_key(options)
    layers = [default_layer(options)]
    if file is not None:
        values = read_file(file)
        if "task" not in table:
            values.pop("task", None)  # it chose the command
        layers.append(check_layer(table, values, str(file)))
    return RunConfig({option.key: option for option in options}, (*layers, given))
