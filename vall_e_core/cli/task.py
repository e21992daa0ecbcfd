"""A task as a subcommand."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..errors import UsageError
from ..kinds import Task
from ..run.config import COMMAND_LINE, Layer, SamplerSpec
from ..run.options import Option, task_options
from ..streams import kept_stdout
from .options import CONTEXT, ShownOption, click_parameter, common_parameters, config_parameter, was_given
from .state import State, state_of

_ORDER = "vall_e.order"


class TaskCommand(click.Command):
    """`vall-e tts`: parses what `task_options` lists, makes a Session, and runs the task."""

    def __init__(self, name: str, task: type[Task], state: State) -> None:
        self.task = task
        self.options = task_options(task, state.registry.samplers())
        params = [click_parameter(each) for each in self.options if each.role != "common"]
        for param in params:
            if isinstance(param, ShownOption):
                param.default_text = task.flag_defaults.get(param.option.key)
        if task.param("task") is None:
            params.append(click.Option(["--task"], hidden=True, expose_value=False, callback=self._same_task))
        super().__init__(
            name,
            params=[*params, config_parameter(), *common_parameters()],
            help=inspect.cleandoc(task.__doc__ or ""),
            short_help=task.summary(),
            context_settings=CONTEXT,
        )

    def _same_task(self, _ctx: click.Context, _param: click.Parameter, value: object) -> object:
        if isinstance(value, str) and value != self.task.name:
            raise UsageError(f"--task {value} doesn't fit the command {self.name}", try_=f"vall-e {value} …")
        return value

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, noting the order in which options were met: it is the order of the sampling chain."""
        if not ctx.resilient_parsing:
            try:
                _, _, order = self.make_parser(ctx).parse_args(list(args))
            except click.UsageError as error:
                error.ctx = error.ctx or ctx  # so that the message can name this command's help
                raise
            ctx.meta[_ORDER] = [param.name for param in order]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The task's own options, the chain with its plain flags, and what all commands take."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], "Sampling": [], "Common": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and not isinstance(param, click.Argument):
                groups[_group(param)].append(record)
        arguments = [
            (each.param.metavar or each.key.upper(), each.help) for each in self.options if each.param.positional
        ]
        for title, records in ({"Arguments": arguments} | groups).items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click's
        """Run the task."""
        from ..run.session import Session

        state = state_of(ctx)
        with kept_stdout() as results:
            layer = self.layer(ctx, state)
            console = state.console()
            console.stdout = results
            session = Session.from_layer(
                self.task, layer, registry=state.registry, file=state.config, console=console
            )  # fmt: skip
            state.given["debug"] = session.debug
            state.warn_of_broken(session.console)
            session.task.run(session)

    def layer(self, ctx: click.Context, state: State) -> Layer:
        """What stood on the command line."""
        values = {
            each.key: ctx.params[name]
            for each in self.options
            if each.role in ("parameter", "flag") and was_given(ctx, name := each.param_name)
        }
        return Layer(COMMAND_LINE, {**values, **state.given}, tuple(self._chain(ctx)))

    def _chain(self, ctx: click.Context) -> Sequence[SamplerSpec]:
        by_name = {each.param_name: each for each in self.options if each.role == "chain"}
        waiting = {name: iter(ctx.params.get(name) or ()) for name in by_name}
        specs = []
        for name in ctx.meta.get(_ORDER, []):
            if name in by_name:
                specs.append(_spec(by_name[name], next(waiting[name])))
        return specs


class TaskGroup(click.Group):
    """`vall-e eval`: tasks under the name of a command, for what a plugin brings with `vall_e_commands`."""

    def __init__(self, name: str, tasks: Mapping[str, type[Task]], help: str) -> None:
        super().__init__(name, help=help, context_settings=CONTEXT)
        self.tasks = tasks

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were given."""
        return list(self.tasks)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A task as a command, or None."""
        task = self.tasks.get(cmd_name)
        return None if task is None else TaskCommand(cmd_name, task, state_of(ctx))


def _spec(option: Option, written: str) -> SamplerSpec:
    try:
        return SamplerSpec.parse(written, option.stage)
    except ValueError as error:
        raise UsageError(f"{option.spellings[0]}: {error}", try_="vall-e samplers list") from error


def _group(param: click.Parameter) -> str:
    if not isinstance(param, ShownOption):
        return "Common"
    return {"parameter": "Options", "flag": "Sampling", "chain": "Sampling", "common": "Common"}[param.option.role]
