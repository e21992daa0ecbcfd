"""Ctrl-C ends a run wherever it strikes, in a destructor too, where Python itself forgets it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from vall_e_core import Console, Registry, Session, Task, hookimpl
from vall_e_core.cli import INTERRUPTED, main
from vall_e_core.interrupts import Interrupts


class Fragile:
    """Is interrupted while it is taken down."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """As in a terminal: what a shell starts in the background ignores SIGINT."""
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, old)


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python forgot."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda details: seen.append(details.exc_type))
    return seen


def test_an_interrupt_lost_in_a_destructor_is_raised_by_the_next_step(forgotten: list[Any]) -> None:
    interrupts = Interrupts()
    bar = Console(interrupts=interrupts).progress("working")
    with interrupts.remembered():
        bar.advance()
        Fragile()
        assert forgotten == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            bar.advance()


def test_outside_everything_is_as_before() -> None:
    interrupts = Interrupts()
    with interrupts.remembered():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    interrupts.check()


def test_a_handler_that_is_there_already_stays() -> None:
    seen: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with Interrupts().remembered():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [signal.SIGINT]


@dataclass(frozen=True)
class Work(Task):
    """Works, is interrupted at a bad moment, and works on for as long as it is let."""

    name = "work"

    def run(self, session: Session) -> None:
        """A hundred steps."""
        with session.progress("working", 100) as bar:
            for step in range(100):
                if step == 3:
                    Fragile()
                bar.advance()


@hookimpl
def vall_e_tasks() -> Iterable[type[Task]]:
    return [Work]


def test_the_program_ends_with_130(forgotten: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry.load(third_party=False)
    registry.register(SimpleNamespace(vall_e_tasks=vall_e_tasks), name="worker")
    assert main(["work"], registry=registry) == INTERRUPTED
    assert forgotten == [KeyboardInterrupt] and capsys.readouterr().err == "interrupted\n"
