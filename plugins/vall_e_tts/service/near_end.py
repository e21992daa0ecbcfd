"""The near end of one engine process: what is sent to it, and what comes back (`process` is the far end)."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from .job import EngineJob, SpeechWork
from .process import Setup, Speaking, main
from .worker import STUCK_SECONDS

if TYPE_CHECKING:
    from .processes import Processes

ASKED_EVERY = 2.0
"""Seconds between two questions whether an engine moves."""


@dataclass(eq=False)
class Sent:
    """A job on its way through a process."""

    job: EngineJob
    ended: Callable[[EngineJob], None]
    received: float = 0.0
    """Seconds of sound, of which somebody may have heard some."""
    alone: bool = False
    """A process has died with it: it gets one for itself."""


class NearEnd:
    """The near end of one process: a thread that writes to it, and one that reads from it."""

    def __init__(self, setup: Setup, parent: Processes) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, setup), name="engine", daemon=True)
        self._parent = parent
        self._numbers = count(1)
        self._outbox: SimpleQueue[tuple[str, int, object] | None] = SimpleQueue()
        self._answered = self._asked = time.monotonic()
        self.sent: dict[int, Sent] = {}
        self.loaded = False
        """Its engine is, and it lives."""
        self.moves = False
        """Its engine does something where there is something to do."""
        self.tried = threading.Event()
        """It is loaded, or couldn't be."""
        threading.Thread(target=self._run, args=(theirs,), name="engine-reader", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid or 0

    def takes(self, sent: Sent) -> bool:
        """Whether it can be given a job."""
        if sent.alone:
            return self.loaded and not self.sent
        return self.loaded and not any(each.alone for each in self.sent.values())

    def begin(self, sent: Sent) -> None:
        """Give it a job."""
        job, number = sent.job, next(self._numbers)
        self.sent[number] = sent
        work = Speaking.of(job.work) if isinstance(job.work, SpeechWork) else job.work

        def told() -> None:
            if job.cancelled:
                self._outbox.put(("leave", number, None))
            else:
                self._outbox.put(("read", number, sent.received))

        self._outbox.put(("begin", number, (work, job.unread)))
        job.begin(told)
        if job.cancelled:  # while it waited
            told()

    def end(self) -> None:
        """Ask it to end, with what it is doing."""
        for number in list(self.sent):
            self._outbox.put(("leave", number, None))
        self._outbox.put(("end", 0, None))

    def join(self, seconds: float) -> None:
        """Wait for its end, and end it after so many seconds."""
        with suppress(ValueError, AssertionError):  # it may not have begun
            self._process.join(seconds)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(1.0)

    def _run(self, theirs: Connection) -> None:
        """Start it, and take what it sends until it ends."""
        code: int | None = None
        try:
            self._process.start()
            theirs.close()
            threading.Thread(target=self._write, name="engine-writer", daemon=True).start()
            while True:
                if self._pipe.poll(ASKED_EVERY):
                    self._take(*self._pipe.recv())
                self._ask()
        except (EOFError, OSError):
            self._process.join(5.0)
            code = self._process.exitcode
        finally:
            self.tried.set()
            self._outbox.put(None)
            self._pipe.close()
            self._parent.lost(self, code)

    def _ask(self) -> None:
        """Ask now and then whether its engine moves; one that says no, or nothing, for long is ended."""
        now = time.monotonic()
        if not self.loaded or now - self._asked < ASKED_EVERY:
            return
        self._asked = now
        if now - self._answered > STUCK_SECONDS:
            self._process.kill()
        self._outbox.put(("moves", 0, None))

    def _write(self) -> None:
        """Send what is to be sent; a pipe that is full holds up this thread alone."""
        with suppress(OSError, ValueError):
            while (message := self._outbox.get()) is not None:
                self._pipe.send(message)

    def _take(self, what: str, number: int, value: Any) -> None:  # noqa: ANN401 - each message has its own
        if what == "ready":
            self._answered = time.monotonic()
            self._parent.loaded(self, value)
            self.tried.set()
        elif what == "moves":
            self.moves = bool(value)
            if self.moves:
                self._answered = time.monotonic()
        elif what == "ended":
            self._parent.over(self, number, *value)
        elif (sent := self.sent.get(number)) is not None:
            wave, rate = value
            sent.received += len(wave) / rate
            sent.job.put(wave, rate)
