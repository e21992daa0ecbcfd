"""The contract that every task keeps."""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from vall_e_core import Console, Session, Task, VallEError
from vall_e_core.plugins import FAILURES, describe
from vall_e_core.run import COMMON, chain_options

from ..given import installed
from .declared import declaration

SYSTEM = {"-h", "--help", "--config", "--version", "--no-plugins"}
"""What the program itself takes."""


def check_task(task: type[Task]) -> list[str]:
    """What a task's class does that it mustn't: one sentence for each rule broken, empty where all is well.

    `run` is tried with each mapping of the class attribute `examples`, in an empty folder; without any it isn't.
    """
    found = [*declaration(task, Task)]
    if not found:
        found += _options(task)
        if task.run is Task.run:
            found.append(f"{task.__name__} has no run(): write it, it does the work")
    return found or list(dict.fromkeys(problem for each in task.examples for problem in _ran(task, each)))


def _options(task: type[Task]) -> Iterator[str]:
    taken = {spelling: "vall-e's own" for spelling in SYSTEM}
    taken |= {spelling: "vall-e's own" for option in COMMON for spelling in option.spellings}
    taken |= {each: "the chain's" for option in chain_options(task.sampler_stages) for each in option.spellings}
    for param in task.params():
        if param.positional:
            continue
        for spelling in (f"--{param.key}", *param.aliases):
            if spelling in taken:
                yield f"the option {spelling} of {task.__name__} is {taken[spelling]}: choose another name"
            taken.setdefault(spelling, f"that of {param.key}, too")


def _ran(task: type[Task], values: Mapping[str, object]) -> Iterator[str]:
    shown = f"run() with {dict(values)}"
    for as_json in (False, True):
        out = io.StringIO()
        try:
            session = Session.create(
                task, {**values, "json": as_json, "quiet": True}, registry=installed(),
                console=Console(stdout=out, stderr=io.StringIO()),
            )  # fmt: skip
        except VallEError as error:
            yield f"its example {dict(values)} is refused ({error.message}): declare `examples` that work"
            return
        with _elsewhere() as folder, redirect_stdout(out):
            try:
                session.task.run(session)
            except VallEError as error:
                yield f"{shown} ends with exit code {error.exit_code} ({error.message}): declare `examples` that work"
                return
            except FAILURES as error:
                yield f"{shown} raises {describe(error)}: raise a VallEError, whose class is the exit code"
                return
            left = any(folder.iterdir())
        if not out.getvalue().strip() and not left:
            yield f"{shown} ends with exit code 0 and gives nothing: call session.result(), or write a file"
            return
        if as_json and out.getvalue().strip() and not _is_json(out.getvalue()):
            yield f"{shown} prints {out.getvalue().strip()[:40]!r} under --json: give the result by session.result()"


@contextmanager
def _elsewhere() -> Iterator[Path]:
    """An empty folder to work in."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def _is_json(text: str) -> bool:
    try:
        for line in text.strip().splitlines():
            json.loads(line)
    except ValueError:
        return False
    return True
