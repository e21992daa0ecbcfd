"""The options a task takes: its own, the plain flags of the samplers, the chain, and what all commands share.

One table serves the command line, the keys of a configuration file, and its JSON schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ..kinds import Sampler, Task
from ..parameters import MISSING, Param
from ..sampling.places import canonical
from ..values import ValueType

Role = Literal["parameter", "flag", "chain", "common"]


@dataclass(frozen=True)
class Option:
    """One option. `key` is its name in a configuration file, `spellings` its names on the command line."""

    key: str
    spellings: tuple[str, ...]
    role: Role
    param: Param
    help: str
    samplers: tuple[type[Sampler], ...] = ()
    """For a plain sampler flag: whose parameter it sets."""
    stage: str | None = None
    """Of a plain sampler flag: the side it belongs to (`ar`, `nar`). Of the chain: its stage, None for the first."""

    @property
    def param_name(self) -> str:
        """The name click knows it by."""
        return self.param.name if self.param.positional else self.key.replace("-", "_")

    def steers(self, stage: str) -> bool:
        """Whether it is a plain flag of a sampler that it would switch on in this stage."""
        return any(stage in each.stages and each.flag_stage(stage) == self.stage for each in self.samplers)

    def check(self, value: object) -> object:
        """`value` as the option's type. Raises ValueError."""
        return self.param.check(value)


def _common(name: str, item: type, default: object, help: str, *spellings: str) -> Option:
    param = Param(name, ValueType("scalar", item), default, help)
    return Option(param.key, spellings, "common", param, help)


COMMON: tuple[Option, ...] = (
    _common("verbose", int, 0, "show more: the sampling chain, timings", "-v", "--verbose"),
    _common("quiet", bool, False, "show only errors", "-q", "--quiet"),
    _common("json", bool, False, "print the result as JSON", "--json"),
    _common("no_progress", bool, False, "don't show a progress bar", "--no-progress"),
    _common("debug", bool, False, "show the traceback of an error", "--debug"),
)
"""What every command takes, before or after its name."""


def chain_options(stages: tuple[str, ...]) -> list[Option]:
    """`--sampler`, and where a task has several stages `--ar-sampler`, `--nar-sampler`, …"""
    if not stages:
        return []
    text = "a sampler of the chain; repeatable, applied in the order given; replaces the default chain"
    several = len(stages) > 1
    made = [_chain_option("sampler", None, f"{text}; {stages[0].upper()}" if several else text)]
    if several:
        for stage in stages:
            made.append(_chain_option(f"{stage}-sampler", stage, f"as --sampler, for {stage.upper()}"))
    return made


def _chain_option(key: str, stage: str | None, help: str) -> Option:
    param = Param(
        key.replace("-", "_"), ValueType("list", str), (), help, multiple=True, metavar="NAME[:VALUE|k=v,…]"
    )  # fmt: skip
    return Option(key, (f"--{key}",), "chain", param, help, stage=stage)


def flag_options(samplers: Iterable[type[Sampler]], stages: tuple[str, ...]) -> list[Option]:
    """The plain flags of the samplers that work in one of the stages, in canonical order, each once."""
    found: dict[str, Option] = {}
    for sampler in canonical(samplers):
        sides = {sampler.flag_stage(stage) for stage in stages if stage in sampler.stages}
        for param in sampler.params():
            for flag in param.flags:
                if flag.stage not in sides:
                    continue
                earlier = found.get(flag.key)
                owners = (sampler,) if earlier is None else (*earlier.samplers, sampler)
                help_ = flag.help if flag.help is not None else param.describe()
                if earlier is not None:
                    found[flag.key] = Option(
                        flag.key, earlier.spellings, "flag", earlier.param, earlier.help, owners, earlier.stage
                    )
                else:
                    found[flag.key] = Option(
                        flag.key, (flag.name, *flag.aliases), "flag", param, help_, owners, flag.stage
                    )
    return list(found.values())


def task_options(task: type[Task], samplers: Iterable[type[Sampler]]) -> tuple[Option, ...]:
    """Everything a task takes. A task's own parameter wins over a sampler's flag of the same spelling."""
    own = [Option(each.key, _own_spellings(each), "parameter", each, each.describe()) for each in task.params()]
    taken = {spelling for option in own for spelling in option.spellings}
    added = [*chain_options(task.sampler_stages), *flag_options(samplers, task.sampler_stages), *COMMON]
    return (*own, *(option for option in added if taken.isdisjoint(option.spellings)))


def _own_spellings(param: Param) -> tuple[str, ...]:
    return () if param.positional else (f"--{param.key}", *param.aliases)


def by_key(options: Iterable[Option]) -> Mapping[str, Option]:
    """Every key a configuration file may use, long aliases among them."""
    table: dict[str, Option] = {}
    for option in options:
        table[option.key] = option
    for option in options:
        for spelling in option.spellings:
            if spelling.startswith("--"):
                table.setdefault(spelling[2:], option)
    return table


def instead_of(options: Iterable[Option], key: str) -> str | None:
    """What to write instead of an option that is no more; None for one that never was."""
    return next((each.param.former[key] for each in options if key in each.param.former), None)


def shown_default(option: Option) -> str | None:
    """The default as help shows it, or None where there is nothing to say: a plain sampler flag is off when absent."""
    default = option.param.default
    if option.role != "parameter" or default is MISSING or default is None or isinstance(default, bool):
        return None
    return None if default in ((), {}) else option.param.type.format(default)
