"""The entry point of the command line: runs the program and turns every end into an exit code.

0 done, 1 internal error, 2 usage, 3 bad input, 4 model or plugin, 5 device or memory, 6 batch with failures,
7 worse than allowed, 124 over the time limit, 130 interrupted (143 by SIGTERM, 129 by SIGHUP), 141 stdout closed.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..console import writing_stdout
from ..errors import DeviceError, InputError, UsageError, VallEError, suggestion
from ..run.options import instead_of
from ..streams import to_nowhere
from .program import make_program
from .state import State

if TYPE_CHECKING:
    from ..plugins.registry import Registry

CLOSED_PIPE = 141
COLLECT_AFTER = 50_000
"""New objects between two looks of the garbage collector."""


def main(argv: Sequence[str] | None = None, *, registry: Registry | None = None) -> int:
    """Run the program and return its exit code.

    Args:
        argv: the arguments, without the program's name; the process's own if None.
        registry: the plugins to use, instead of those installed.
    """
    if argv is None:
        _accept_any_text()
        _collect_seldom()
    args = list(sys.argv[1:] if argv is None else argv)
    before_dashes = args[: args.index("--")] if "--" in args else args
    state = State(third_party="--no-plugins" not in before_dashes, loaded=registry)
    if "--debug" in before_dashes:
        state.given["debug"] = True
    try:
        with state.interrupts.remembered():
            code = _run(args, state)
        if sys.stdout is not None:
            with writing_stdout():
                sys.stdout.flush()
        return code
    except BrokenPipeError:
        _silence_stdout()
        return CLOSED_PIPE
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", state.interrupts.exit_code)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _end(_translated(error), error, state)
    except VallEError as error:
        return _end(error, error, state)
    except Exception as error:
        blamed = None if state.loaded is None or _memory(error) else state.loaded.blame(error)
        return _end(blamed or _unexpected(error), error, state)
    except (SystemExit, GeneratorExit) as error:  # nothing of ours ends like this
        blamed = None if state.loaded is None else state.loaded.blame(error)
        if blamed is None:
            raise
        return _end(blamed, error, state)


def _run(args: list[str], state: State) -> int:
    program = make_program()
    completion = os.environ.get("_VALL_E_COMPLETE")
    if completion:
        from click.shell_completion import shell_complete

        return shell_complete(program, {"obj": state}, "vall-e", "_VALL_E_COMPLETE", completion)
    with program.make_context("vall-e", args, obj=state) as ctx:
        program.invoke(ctx)
    return 0


def _end(shown: VallEError, error: BaseException, state: State) -> int:
    if state.debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    return _say(shown.render(), shown.exit_code)


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody reads it, or there is no room: the code has to do
        click.echo(text, err=True)
    return code


def _silence_stdout() -> None:
    """Python flushes stdout once more when it ends; let that go nowhere instead of failing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        to_nowhere(sys.stdout.fileno())


def _translated(error: click.ClickException) -> VallEError:
    """A click error in our own shape."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return _Help(error.format_message())
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    path = ctx.command_path if ctx is not None else "vall-e"
    hint: str | None = f"{path} --help"
    message = error.format_message()
    if isinstance(error, click.NoSuchOption) and ctx is not None:
        known = [each for param in ctx.command.get_params(ctx) for each in param.opts if each.startswith("--")]
        message = f"no such option: {error.option_name}"
        options = getattr(ctx.command, "options", ())
        instead = instead_of(options, error.option_name.lstrip("-"))
        hint = f"{instead} takes its place" if instead else suggestion(error.option_name, known, f"{path} --help")
        if any(letter.isspace() for letter in error.option_name) or not error.option_name.startswith("--"):
            hint = f"{path} --help   (put -- before a text that starts with a dash)"
    elif isinstance(error, click.BadParameter) and error.param is not None and type(error) is click.BadParameter:
        names = [each for each in error.param.opts if each.startswith("--")]
        message = f"{names[0] if names else error.param.human_readable_name}: {error.message}"
        if names[:1] == ["--seed"]:
            hint = "a whole number from 0; without --seed, one is chosen and printed"
    elif message:
        message = message[0].lower() + message[1:].rstrip(".")
    return UsageError(message, try_=hint)


class _Help(UsageError):
    """No arguments at all: the help, and the exit code of a usage error."""

    def render(self) -> str:
        return self.message


def _unexpected(error: Exception) -> VallEError:
    if _memory(error):
        return DeviceError(
            "out of memory",
            cause=" ".join(str(error).split()) or None,
            try_="a smaller --batch-size, a shorter text, or --device cpu",
        )
    full = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
    if isinstance(error, OSError) and error.errno in full:
        where = error.filename or "standard output"
        what = "no space left" if error.errno == errno.ENOSPC else "the file would exceed the size limit"
        cause = f"can't write {where}: {error.strerror}"
        return InputError(what, cause=cause, try_="free some disk space, or check ulimit -f and quotas")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        name = os.path.basename(str(error.filename or ""))
        return InputError(f"a file's name is too long: {name[:40]}…", cause=f"it has {len(name)} characters")
    text = " ".join(str(error).split())
    return VallEError(
        f"internal error: {type(error).__name__}{f': {text}' if text else ''}",
        cause="this is a bug in vall-e or in one of its plugins",
        try_="run the command again with --debug, and report the output",
    )


def _memory(error: Exception) -> bool:
    """Whether memory ran out, by whatever name: torch's allocator raises a RuntimeError, the loader an ImportError."""
    said = str(error).lower()
    return (
        isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
        or any(each in said for each in ("can't allocate memory", "cannot allocate memory", "failed to map segment"))
    )  # fmt: skip


def _collect_seldom() -> None:
    """Let the garbage collector look more seldom: torch's import makes hundreds of thousands of objects that stay, and
    walking through them again and again takes 0.2 of the 3.2 s of a short sentence."""
    gc.set_threshold(COLLECT_AFTER)


def _accept_any_text() -> None:
    """Phonemes must never end in a UnicodeEncodeError, whatever the terminal's encoding; nor notices in an error where
    standard error is closed."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it stays open until the process ends
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
