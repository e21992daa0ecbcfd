"""Pages that Sphinx makes from the code: `<!-- generated: NAME -->` in a page is replaced by what NAME gives below."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
from docstrings import CODE
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

from vall_e_core import Registry, Task
from vall_e_core.cli import State, TaskCommand
from vall_e_core.cli.program import make_program

MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)
CORE = ("vall_e_core", "vall_e_core.sampling", "vall_e_core.testing", "vall_e_core.sampling.running")
PLUGINS = Path(__file__).parents[2] / "plugins"


def escaped(text: str) -> str:
    """Plain text for a cell of a Markdown table; code between backticks stays as it is."""
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        piece.replace("|", r"\|") if piece.startswith("`") else re.sub(r"([\\*_<>|\[\]$])", r"\\\1", piece)
        for piece in pieces
    )


def commands() -> str:
    """Every command of the program with its options, from click."""
    program = make_program()
    with click.Context(program, info_name="vall-e", obj=State(third_party=False)) as ctx:
        return "\n\n".join(f"## {path}\n\n{text}" for path, text in _walk(program, ctx))


def _walk(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, str]]:
    yield ctx.command_path, _command(command, ctx)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                yield from _walk(found, click.Context(found, info_name=name, parent=ctx))


def _command(command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    paragraphs = [escaped(each) for each in re.split(r"\n\s*\n", command.help or "")]
    params = [each for each in command.get_params(ctx) if not isinstance(each, click.Argument)]
    records = [record for each in params if (record := each.get_help_record(ctx)) is not None]
    if isinstance(command, TaskCommand):
        records = [
            (each.param.metavar or each.key.upper(), each.help) for each in command.options if each.param.positional
        ] + records
    rows = [f"| `{names.replace('|', chr(92) + '|')}` | {escaped(text)} |" for names, text in records]
    table = ["| option | meaning |\n|---|---|\n" + "\n".join(rows)] if rows else []
    return "\n\n".join([f"```text\n{usage}\n```", *paragraphs, *table])


def configuration() -> str:
    """The keys of a configuration file, for each task."""
    registry = Registry.load(environ={}, third_party=False)
    return "\n\n".join(f"## Keys for `{name}`\n\n{_keys(registry.task(name))}" for name in registry.names("task"))


def _keys(task: type[Task]) -> str:
    rows = [
        f"| `{each.key}` | `{each.placeholder().replace('|', chr(92) + '|')}` | "
        f"{'`' + shown + '`' if (shown := each.type.format(each.default) if not each.required else '') else ''} | "
        f"{escaped(each.help)} |"
        for each in task.params()
        if not each.hidden and not each.positional
    ]
    return "| key | value | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows)


def api() -> str:
    """The public names of every package, from their docstrings; what several offer stands where it is met first."""
    packages = sorted(path.parent.name for path in PLUGINS.glob("*/__init__.py"))
    seen: set[int] = set()
    found = []
    for name in (*CORE, *packages):
        module = importlib.import_module(name)
        offered = {each: getattr(module, each) for each in getattr(module, "__all__", ())}
        again = [each for each, value in offered.items() if isinstance(value, type) and id(value) in seen]
        seen |= {id(value) for value in offered.values()}
        constants = [
            each for each, value in offered.items() if not inspect.isclass(value) and not inspect.isroutine(value)
        ]
        if offered:
            options = [":members:", ":undoc-members:", f":exclude-members: {', '.join([*again, *constants])}"]
            lines = [f".. automodule:: {name}", *(f"   {each}" for each in options)]
            lines += [line for each in constants for line in _constant(name, each)]
            found.append("\n".join([f"## {name}", "", "```{eval-rst}", *lines, "```"]))
    return "\n\n".join(found)


def _constant(package: str, name: str) -> list[str]:
    """A constant or a type of another's making, with the docstring behind its assignment."""
    modules = [each for each in sys.modules if each == package or each.startswith(f"{package}.")]
    documented = (ModuleAnalyzer.for_module(each).find_attr_docs() for each in sorted(modules))
    text = next((docs["", name] for docs in documented if ("", name) in docs), [])
    described = (CODE.sub(r"``\1``", line) for line in text)
    return ["", f".. py:data:: {package}.{name}", "", *(f"   {line}" for line in described)]


def sampler_pages() -> str:
    """The pages of samplers in the menu, below the one that lists them."""
    return "```{toctree}\n:hidden:\n:glob:\n\nsamplers/*\n```"


GENERATED: Mapping[str, Callable[[], str]] = {
    "api": api,
    "commands": commands,
    "configuration": configuration,
    "sampler-pages": sampler_pages,
}


def fill(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put what is generated in the place of its mark."""
    source[0] = MARK.sub(lambda found: GENERATED[found[1]](), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
