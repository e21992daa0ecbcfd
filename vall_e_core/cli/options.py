"""Our table of options as click sees it. Kebab-case is shown, snake_case is understood."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..run.options import COMMON, Option, shown_default
from .state import state_of

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("_", "-"),
    "max_content_width": 110,
}
"""For every command: `--max_ar_steps` is `--max-ar-steps`."""


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _ParamType = click.ParamType[object]
else:
    _ParamType = click.ParamType  # older versions can't be subscripted


class Value(_ParamType):
    """A parameter's own type and range, so that a flag and a key in a file give the same messages."""

    def __init__(self, option: Option) -> None:
        self.option = option
        self.name = option.param.placeholder()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> object:  # noqa: ANN401 - as click has it
        """One occurrence of the option."""
        try:
            if not self.option.param.multiple:
                return self.option.check(value)
            made = self.option.check((value,))
            return made[0] if isinstance(made, tuple) else made
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What a word may become, for the shell: the choices, or the names of the kind of component that is meant."""
        from click.shell_completion import CompletionItem

        known = [str(each) for each in self.option.param.choices or ()]
        registry = state_of(ctx).registry
        if self.option.key in registry.kinds:
            known += registry.names(self.option.key)
        if self.option.param.complete is not None:
            module, _, function = self.option.param.complete.partition(":")
            known += getattr(import_module(module), function)()
        return [CompletionItem(each) for each in dict.fromkeys(known) if each.startswith(incomplete)]


class ShownOption(click.Option):
    """An option whose help shows neither the negative spelling nor what can be told from the text."""

    def __init__(self, option: Option, declarations: list[str], **settings: Any) -> None:  # noqa: ANN401 - as click has it
        super().__init__(declarations, **settings)
        self.option = option
        self.default_text: str | None = None

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Spellings with the placeholder, and the help with the default."""
        if self.hidden:
            return None
        shorts = [each for each in self.opts if not each.startswith("--")]
        names = ", ".join([*shorts, *(each for each in self.opts if each.startswith("--"))])
        if not self.is_flag and not self.count:
            names += f" {self.type.name}"
        default = self.default_text if self.default_text is not None else shown_default(self.option)
        return names, self.help or "" if default is None else f"{self.help}  [default: {default}]"


def click_parameter(option: Option, **settings: Any) -> click.Parameter:  # noqa: ANN401 - as click has it
    """Our option as click's. It has no default: what isn't given stays absent."""
    param = option.param
    if param.positional:
        many = -1 if param.multiple else 1
        return click.Argument([param.name], type=Value(option), nargs=many, required=False, metavar=param.metavar)
    name = option.key.replace("-", "_")
    declarations = [name, *option.spellings]
    common: dict[str, Any] = {"help": option.help, "hidden": param.hidden, **settings}
    if option.key == "verbose" and option.role == "common":
        return ShownOption(option, declarations, count=True, **common)
    if param.type.item is bool and param.type.form == "scalar":
        return ShownOption(option, [name, *map(_with_negative, option.spellings)], is_flag=True, default=None, **common)
    return ShownOption(option, declarations, type=Value(option), multiple=param.multiple, **common)


def _with_negative(spelling: str) -> str:
    """`--overwrite` gets `--no-overwrite`, so that the command line can take back what a file switched on."""
    if not spelling.startswith("--"):
        return spelling
    bare = spelling[2:]
    return f"{spelling}/--{bare[3:] if bare.startswith('no-') else f'no-{bare}'}"


def was_given(ctx: click.Context, name: str) -> bool:
    """Whether it stood on the command line."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> object:
    if param.name is not None and was_given(ctx, param.name):
        state_of(ctx).note(param.name.replace("_", "-"), value)
    return value


def _no_plugins(ctx: click.Context, _param: click.Parameter, value: object) -> object:
    state = state_of(ctx)
    if value and state.loaded is None:
        state.third_party = False
    return value


def _config(ctx: click.Context, _param: click.Parameter, value: object) -> object:
    if isinstance(value, str):
        state_of(ctx).config = Path(value)
    return value


def common_parameters(*, json: bool = True) -> list[click.Parameter]:
    """`-v -q --json --no-progress --debug --no-plugins`, kept in the state wherever they stand."""
    made = [
        click_parameter(option, expose_value=False, callback=_keep) for option in COMMON if json or option.key != "json"
    ]
    without = click.Option(
        ["--no-plugins"], is_flag=True, is_eager=True, expose_value=False, callback=_no_plugins,
        help="don't load third-party plugins",
    )  # fmt: skip
    return [*made, without]


def config_parameter() -> click.Parameter:
    """`--config FILE`."""
    return click.Option(
        ["--config"], metavar="FILE", expose_value=False, callback=_config, is_eager=True,
        help="YAML file with the same keys as the flags; the command line takes precedence",
    )  # fmt: skip


def add_common(command: click.Command, *, json: bool) -> click.Command:
    """Give a command, and every command of a group, the common options whose spellings it leaves free."""
    command.context_settings = {**CONTEXT, **command.context_settings}
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_common(each, json=json)
    taken = {spelling for param in command.params for spelling in (*param.opts, *param.secondary_opts)}
    command.params += [each for each in common_parameters(json=json) if taken.isdisjoint(each.opts)]
    return command
