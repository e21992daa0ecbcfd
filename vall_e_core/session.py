"""What a task is handed when it runs: its values, the samplers that were asked for, and a way to speak to the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .component import BuildContext, Sampler, Task
from .config import COMMAND_LINE, Layer, RunConfig, SamplerSpec, build_config, check_layer
from .console import Console, Progress
from .errors import UsageError
from .options import by_key, side, task_options
from .registry import Registry

TEMPERATURE_ORDER = 120
"""Samplers whose canonical place this is may be switched on by plain flags even beside `--sampler`."""


@dataclass(frozen=True)
class Session:
    """One run of one task. `task` holds the merged values; everything else says where they come from."""

    registry: Registry
    task: Task
    config: RunConfig
    console: Console = field(default_factory=Console)
    chains: Mapping[str, tuple[Sampler, ...] | None] = field(default_factory=dict)
    debug: bool = False

    @classmethod
    def create(
        cls,
        task: type[Task],
        values: Mapping[str, object] | None = None,
        *,
        registry: Registry,
        file: Path | None = None,
        chain: Sequence[SamplerSpec] = (),
        console: Console | None = None,
    ) -> Session:
        """A session from what was given. Raises UsageError for anything that can't be meant.

        Args:
            values: keys as on the command line (`top-p`, `ref`), in either spelling; they win over the file's.
            file: a YAML file with the same keys.
            chain: `--sampler` in the order given; `values` may hold `sampler`, `ar-sampler`, … instead.
            console: without one, made from `verbose`, `quiet`, `json` and `no-progress`.
        """
        options = task_options(task, registry.samplers())
        given = check_layer(by_key(options), values if values is not None else {}, COMMAND_LINE)
        return cls.from_layer(
            task, replace(given, chain=(*given.chain, *chain)), registry=registry, file=file, console=console
        )

    @classmethod
    def from_layer(
        cls, task: type[Task], given: Layer, *, registry: Registry, file: Path | None, console: Console | None = None
    ) -> Session:
        """As `create`, from a layer whose values are checked already."""
        options = task_options(task, registry.samplers())
        config = build_config(options, file=file, given=given)
        common = config.merged("common")
        if console is None:
            console = Console()
        level = common["verbose"]
        console.verbosity = -1 if common["quiet"] else level if isinstance(level, int) else 0
        console.json = common["json"] is True
        console.show_progress = common["no-progress"] is False
        chains = {stage: _chain(config, stage, registry, task, console) for stage in task.sampler_stages}
        made = task.from_mapping(config.merged("parameter"))
        return cls(registry, made, config, console, chains, debug=common["debug"] is True)

    def chain(self, stage: str) -> tuple[Sampler, ...] | None:
        """The members that `--sampler` named for a stage, in their order, or None where the default chain holds.

        A temperature flag beside `--sampler` has been placed just before the selector.
        """
        return self.chains.get(stage)

    def sampler_flags(self, stage: str | None = None) -> dict[str, object]:
        """The plain sampler flags that were given or advised, by key: all of them, or those that steer one stage."""
        flags = self.config.merged("flag")
        if stage is None:
            return flags
        return {key: value for key, value in flags.items() if self.config.options[key].stage == side(stage)}

    def advised(self, advice: Mapping[str, object]) -> Session:
        """With a checkpoint's advice: it counts where the user said nothing. Keys this task lacks are left out."""
        config = self.config.advise(advice)
        task = type(self.task).from_mapping(config.merged("parameter"))
        return replace(self, config=config, task=task)

    def given(self, key: str) -> bool:
        """Whether the user gave this key, in the file or on the command line."""
        return self.config.given(key)

    def source(self, key: str) -> str | None:
        """Where this key's value comes from: `default`, `checkpoint`, the file's path or `command line`."""
        return self.config.source(key)

    def record(self) -> dict[str, object]:
        """The values of the run as JSON and YAML hold them; `Session.create` takes them back."""
        free = {side(stage) for stage, members in self.chains.items() if members is None}
        found = {
            key: self.config.options[key].param.plain(value)
            for key, value in self.config.merged("parameter", "flag").items()
            if self.config.options[key].role == "parameter" or self.config.options[key].stage in free
        }
        several = len(self.chains) > 1
        for stage, members in self.chains.items():
            if members is not None:
                found[f"{stage}-sampler" if several else "sampler"] = [member.to_spec() for member in members]
        return found

    def build_context(self, **known: Any) -> BuildContext:  # noqa: ANN401 - BuildContext's own fields
        """A BuildContext whose notices reach the user."""
        return BuildContext(**{"notify": self.console.notice, **known})

    def notice(self, line: str) -> None:
        """A line on stderr, unless quiet."""
        self.console.notice(line)

    def detail(self, line: str, level: int = 1) -> None:
        """A line on stderr under `-v`."""
        self.console.detail(line, level)

    def warn(self, line: str) -> None:
        """A warning on stderr, unless quiet; kept in `console.warnings`."""
        self.console.warn(line)

    def result(self, record: Mapping[str, object], text: str | None = None) -> None:
        """The result on stdout: JSON under `--json`, else the text."""
        self.console.result(record, text)

    def progress(self, label: str, total: float | None = None, unit: str = "") -> Progress:
        """A progress bar for `with`."""
        return self.console.progress(label, total, unit)


def _chain(
    config: RunConfig, stage: str, registry: Registry, task: type[Task], console: Console
) -> tuple[Sampler, ...] | None:
    """The explicit chain of a stage. The highest layer that names one wins as a whole."""
    for position in reversed(range(len(config.layers))):
        layer = config.layers[position]
        members = [
            member
            for spec in layer.chain
            if spec.stage in (None, stage)
            for member in [_member(spec, stage, registry, task)]
            if member is not None
        ]
        if members:
            _refuse_flags(config, position, stage, members)
            _note_overridden(config, position, stage, console)
            return _with_temperature(config, position, stage, members)
    return None


def _member(spec: SamplerSpec, stage: str, registry: Registry, task: type[Task]) -> Sampler | None:
    """The sampler of a spec, or None where an unrestricted `--sampler` doesn't work in this stage but in another."""
    member = spec.resolve(registry)
    if stage in member.stages:
        return member
    if spec.stage is None and any(each in member.stages for each in task.sampler_stages):
        return None
    works = ", ".join(sorted(member.stages))
    raise UsageError(f"{member.name} doesn't work in the {stage} stage", cause=f"it is made for: {works}")


def _flags_in(config: RunConfig, layers: Sequence[Layer], stage: str) -> dict[str, object]:
    """The plain flags in some layers that would steer this stage."""
    return {
        key: value
        for layer in layers
        for key, value in layer.values.items()
        if config.options[key].role == "flag"
        and config.options[key].stage == side(stage)
        and any(stage in sampler.stages for sampler in config.options[key].samplers)
    }


def _is_temperature(config: RunConfig, key: str) -> bool:
    return any(sampler.order == TEMPERATURE_ORDER for sampler in config.options[key].samplers)


def _refuse_flags(config: RunConfig, position: int, stage: str, members: Sequence[Sampler]) -> None:
    tempered = any(member.order == TEMPERATURE_ORDER for member in members)
    for key in _flags_in(config, config.layers[position:], stage):
        if _is_temperature(config, key) and not tempered:
            continue
        option = config.options[key]
        value = config.value(key)
        if option.param.neutral == value:
            continue
        owner = option.samplers[0]
        flags = {each: config.value(each) for each in config.merged("flag") if owner in config.options[each].samplers}
        wanted = owner.from_flags(flags, stage)
        spelling = wanted.to_spec() if wanted is not None else owner.name
        raise UsageError(
            f"--{key} and --sampler can't both steer the {stage.upper()} chain",
            cause="with --sampler the order given is the order applied, and a plain flag has no place in it",
            try_=f"--sampler {spelling}   at the place you want, instead of --{key}",
        )


def _note_overridden(config: RunConfig, position: int, stage: str, console: Console) -> None:
    below = [layer for layer in config.layers[:position] if layer.source != config.layers[0].source]
    for layer in below:
        keys = [key for key in _flags_in(config, [layer], stage) if not _is_temperature(config, key)]
        if keys:
            source = config.layers[position].source
            replaced = f"{', '.join(keys)} of {layer.source}"
            console.notice(f"note: the {stage.upper()} chain of the {source} replaces {replaced}")


def _with_temperature(config: RunConfig, position: int, stage: str, members: list[Sampler]) -> tuple[Sampler, ...]:
    """Temperature flags given beside the chain (not below it) add their sampler, unless the chain has one."""
    flags = {
        key: value
        for key, value in _flags_in(config, config.layers[position:], stage).items()
        if _is_temperature(config, key)
    }
    owners = {owner.name: owner for key in flags for owner in config.options[key].samplers}
    for owner in owners.values():
        made = owner.from_flags(flags, stage) if stage in owner.stages else None
        if made is not None:
            before = next((i for i, member in enumerate(members) if member.role != "transform"), len(members))
            return (*members[:before], made, *members[before:])
    return tuple(members)
