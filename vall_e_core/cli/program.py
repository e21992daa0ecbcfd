"""The program itself: a click group whose commands are found when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UsageError, did_you_mean, suggestion
from ..kinds import LazyCommand, Task
from ..run.options import COMMON
from .group import load_command
from .options import CONTEXT, add_common, common_parameters, config_parameter
from .state import State, state_of

if TYPE_CHECKING:
    from ..plugins.registry import Registry

BUILT_IN: Mapping[str, LazyCommand] = {
    each.name: each
    for each in (
        LazyCommand("plugins", "list, check, create and install plugins", "vall_e_core.cli.plugins:plugins", True),
        LazyCommand("samplers", "list, show, explain and plot samplers", "vall_e_core.cli.samplers:samplers", True),
    )
}


class Program(click.Group):
    """`vall-e`. Tasks come from plugins, so plugins are loaded as soon as a command's name is looked up."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, after `--task NAME` in front has become the name of a command."""
        return super().parse_args(ctx, _with_command(self, ctx, args))

    def get_command_name(self, ctx: click.Context, word: str) -> str | None:
        """The command that a word names, in either spelling, or None."""
        if word in BUILT_IN:
            return word
        names = self.list_commands(ctx)
        return next((each for each in (word, word.replace("_", "-")) if each in names), None)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the built-in commands, then of tasks and of commands that plugins bring."""
        registry = state_of(ctx).registry
        return [*registry.names("task"), *BUILT_IN, *_top(registry.commands())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name, or None."""
        state = state_of(ctx)
        if cmd_name not in BUILT_IN and cmd_name in state.registry.names("task"):
            from .task import TaskCommand

            return TaskCommand(cmd_name, state.registry.task(cmd_name), state)
        lazy = BUILT_IN.get(cmd_name) or _top(state.registry.commands()).get(cmd_name)
        return None if lazy is None else add_common(load_command(lazy, state), json=lazy.json)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a did-you-mean."""
        if self.get_command_name(ctx, args[0]) is None and not ctx.resilient_parsing:
            if args[0].startswith("-"):
                raise UsageError(f"no such option: {args[0]}", try_="vall-e --help")
            known = self.list_commands(ctx)
            hint = suggestion(args[0], known, "vall-e --help")
            task = _default_task(state_of(ctx).registry)
            if len(args) > 1 and task is not None and did_you_mean(args[0], known) is None:
                words = [each.metavar or each.key.upper() for each in task.params() if each.positional]
                hint = f"vall-e {' '.join([task.name, *words])}   (vall-e --help lists the commands)"
            raise UsageError(f"no such command: {args[0]}", cause=state_of(ctx).registry.not_loaded(), try_=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its one-line help, importing none of them."""
        registry = state_of(ctx).registry
        tasks = [(name, each.summary()) for name, each in registry.tasks().items()]
        tools = [(name, each.help) for name, each in sorted({**BUILT_IN, **_top(registry.commands())}.items())]
        for title, records in (("Tasks", tasks), ("Tools", tools)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _top(commands: Mapping[str, LazyCommand]) -> dict[str, LazyCommand]:
    """Those that belong to no group."""
    return {name: each for name, each in commands.items() if " " not in name}


def _with_command(program: Program, ctx: click.Context, args: list[str]) -> list[str]:
    """Where no command is named in front, `--task stt …` becomes `stt …`, and `--config run.yaml` names its task."""
    state = state_of(ctx)
    front, rest = _leading(args)
    if rest and rest[0] not in ("--", *_OPTIONS) and program.get_command_name(ctx, rest[0]) is not None:
        return args
    ahead = args[: args.index("--")] if "--" in args else args
    task, others = _taken(ahead, "--task")
    config, _ = _taken(front, "--config")
    if task is None and config is not None and not rest and not {"-h", "--help", "--version"} & set(front):
        from ..run.config import read_file

        usual = _default_task(state.registry)
        chosen = read_file(Path(config)).get("task")
        task = chosen if isinstance(chosen, str) else None if usual is None else usual.name
    if task is None:
        return args
    command = _task_command(state, task)
    passed_on = ["--task", task] if command != task else []
    return [command, *passed_on, *others, *args[len(ahead) :]]


def _default_task(registry: Registry) -> type[Task] | None:
    """The task that is meant where none is named, if one is installed."""
    return next((each for each in registry.all(Task).values() if each.default), None)


_OPTIONS = ("--task", "--config")


def _leading(args: list[str]) -> tuple[list[str], list[str]]:
    """The options in front that are the program's own, and everything from there."""
    own = {spelling for option in COMMON for spelling in option.spellings}
    own |= {"--no-plugins", "--version", "-h", "--help"}
    at = 0
    while at < len(args):
        name, equals, _ = args[at].partition("=")
        if name in _OPTIONS:
            at += 1 if equals else 2
        elif args[at] in own or set(args[at]) == {"-", "v"}:
            at += 1
        else:
            break
    return args[:at], args[at:]


def _taken(args: list[str], name: str) -> tuple[str | None, list[str]]:
    """The value of an option, and the arguments without it."""
    for at, each in enumerate(args):
        if each == name and at + 1 < len(args):
            return args[at + 1], [*args[:at], *args[at + 2 :]]
        if each.startswith(f"{name}="):
            return each.partition("=")[2], [*args[:at], *args[at + 1 :]]
    return None, args


def _task_command(state: State, task: str) -> str:
    """The command for `--task NAME`: the task of that name, or the one of which that is a variant."""
    names = state.registry.names("task")
    if task in names:
        return task
    for name in names:
        if (kind := state.registry.task(name).variants) and task in state.registry.names(kind):
            return name
    raise UsageError(f"no task is called {task!r}", try_=suggestion(task, names, "vall-e --help"))


def _version(ctx: click.Context, _param: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__

        click.echo(f"vall-e {__version__}")
        ctx.exit()


def make_program() -> Program:
    """The whole command line; nothing is loaded yet."""
    return Program(
        "vall-e",
        help="Zero-shot text to speech and speech to text, in which every feature is a plugin.",
        context_settings=CONTEXT,
        no_args_is_help=True,
        params=[
            *common_parameters(),
            config_parameter(),
            click.Option(
                ["--task"], metavar="NAME", expose_value=False, help="the task to run, instead of a command"
            ),
            click.Option(
                ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version,
                help="show the version and exit",
            ),
        ],
    )  # fmt: skip
