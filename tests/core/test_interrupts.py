"""Ctrl-C ends a run wherever it strikes, in a destructor too, where Python itself forgets it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from vall_e_core import Console, Registry, Session, Task, hookimpl
from vall_e_core.cli import main
from vall_e_core.interrupts import INTERRUPTED, Interrupts
from vall_e_files import write_atomic


def test_a_lost_interrupt_is_raised_by_the_next_step(lose_interrupt: Callable[[], None]) -> None:
    interrupts = Interrupts()
    bar = Console(interrupts=interrupts).progress("working")
    with interrupts.remembered():
        bar.advance()
        lose_interrupt()
        with pytest.raises(KeyboardInterrupt):
            bar.advance()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_is_there_already_stays() -> None:
    seen: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with Interrupts().remembered():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [signal.SIGINT]


@pytest.mark.parametrize("lost", [True, False])
def test_the_program_ends_with_130(
    lost: bool, lose_interrupt: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    steps = []

    @dataclass(frozen=True)
    class Work(Task):
        """Works, is interrupted, and works on for as long as it is let."""

        name = "work"

        def run(self, session: Session) -> None:
            """A hundred steps."""
            with session.progress("working", 100) as bar:
                for step in range(100):
                    bar.advance()
                    steps.append(step)
                    if step == 3:
                        lose_interrupt() if lost else signal.raise_signal(signal.SIGINT)

    @hookimpl
    def vall_e_tasks() -> Iterable[type[Task]]:
        return [Work]

    registry = Registry.load(third_party=False)
    registry.register(SimpleNamespace(vall_e_tasks=vall_e_tasks), name="worker")
    assert main(["work"], registry=registry) == INTERRUPTED
    assert steps == [0, 1, 2, 3] and capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_tidies_up_as_well(name: str, tmp_path: Path) -> None:
    """A terminal that closes, a time limit, a service that stops: no half file is left behind."""
    number = getattr(signal, name)
    interrupts = Interrupts()

    def write(file: BinaryIO) -> None:
        file.write(b"half")
        signal.raise_signal(number)

    old = signal.signal(number, signal.SIG_DFL)  # under nohup the suite itself ignores one
    try:
        with interrupts.remembered(), pytest.raises(KeyboardInterrupt):
            write_atomic(tmp_path / "out.bin", write)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, old)
    assert list(tmp_path.iterdir()) == [] and interrupts.exit_code == 128 + number


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup` ignores SIGHUP, and means it."""
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts().remembered():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, old)
