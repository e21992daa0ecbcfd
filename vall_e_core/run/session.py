"""What a task is handed when it runs: its values, the samplers that were asked for, and a way to speak to the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..console import Console, Progress
from ..kinds import Sampler, Task
from ..plugins.registry import Registry
from ..sampling.flags import chain_from_flags
from ..sampling.plan import compile_chain
from .config import COMMAND_LINE, Layer, RunConfig, SamplerSpec, build_config, check_layer
from .options import by_key, task_options


@dataclass(frozen=True)
class Session:
    """One run of one task. `task` has the merged values; the rest says where they come from."""

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
        """Make a session. Raises UsageError for invalid values and combinations.

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
        for stage, members in chains.items():
            if members is not None:
                compile_chain(members, stage)  # refuses what can't be, before anything is loaded
        made = task.from_mapping(config.merged("parameter"))
        return cls(registry, made, config, console, chains, debug=common["debug"] is True)

    def chain(self, stage: str) -> tuple[Sampler, ...] | None:
        """The members that `--sampler` named for a stage, in their order, or None if the default chain applies.

        A temperature flag beside `--sampler` has been placed just before the selector.
        """
        return self.chains.get(stage)

    def sampler_flags(self, stage: str | None = None) -> dict[str, object]:
        """The plain sampler flags that were given or advised, by key: all of them, or those that steer one stage."""
        flags = self.config.merged("flag")
        if stage is None:
            return flags
        return {key: value for key, value in flags.items() if self.config.options[key].steers(stage)}

    def advised(self, advice: Mapping[str, object]) -> Session:
        """Add a checkpoint's advice for what the user didn't set. Keys that this task lacks are left out."""
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
        explicit = [stage for stage, members in self.chains.items() if members is not None]
        options = self.config.options
        found = {
            key: options[key].param.plain(value)
            for key, value in self.config.merged("parameter", "flag").items()
            if not any(options[key].steers(stage) for stage in explicit)
        }
        several = len(self.chains) > 1
        for stage, members in self.chains.items():
            if members is not None:
                found[f"{stage}-sampler" if several else "sampler"] = [member.to_spec() for member in members]
        return found

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
    """The explicit chain of a stage; a plain `--sampler` is for the task's first. The highest layer wins as a whole.

    Plain flags of that layer or above it stand beside the chain: a temperature joins it, any other is refused. Flags
    below it are part of what it replaces.
    """
    for position in reversed(range(len(config.layers))):
        layer = config.layers[position]
        members = [spec.resolve(registry) for spec in layer.chain if (spec.stage or task.sampler_stages[0]) == stage]
        if not members:
            continue
        replaced = [key for below in config.layers[:position] for key in _flags_in(config, [below], stage)]
        if replaced:
            flags = ", ".join(f"--{key}" for key in replaced)
            console.notice(f"note: the {stage.upper()} chain of the {layer.source} replaces {flags}")
        beside = _flags_in(config, config.layers[position:], stage)
        return tuple(chain_from_flags(registry.samplers(), beside, stage, explicit=members))
    return None


def _flags_in(config: RunConfig, layers: Sequence[Layer], stage: str) -> dict[str, object]:
    """The plain flags in some layers that steer a stage."""
    return {key: value for layer in layers for key, value in layer.values.items() if config.options[key].steers(stage)}
