"""Several engines, each in a process of its own, that share the jobs: one for each core, and none dies with another."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from vall_e_core import VallEError

from .job import EngineJob, SpeechWork, State
from .process import Setup, Speaking, main
from .worker import STUCK_SECONDS

if TYPE_CHECKING:
    from ..valle import VallE

ASKED_EVERY = 2.0
"""Seconds between two questions whether an engine moves."""
MOST_LOADS = 3
"""A process that ends before its engine was loaded is started so often, one after the other."""


@dataclass(eq=False)
class _Sent:
    """A job on its way through a process."""

    job: EngineJob
    ended: Callable[[EngineJob], None]
    received: float = 0.0
    """Seconds of sound."""
    alone: bool = False
    """A process has died with it: it gets one for itself."""


class Processes:
    """As `Worker`, with several engines: a job goes to the process that has the fewest.

    A process that dies, or whose engine doesn't move for a minute, is replaced. Jobs of it that nobody has heard
    anything of are done once more, each alone; the others fail.
    """

    def __init__(
        self, setup: Setup, number: int, *, near: Callable[[], VallE | None] | None = None, again: bool = True
    ) -> None:
        """Prepare processes.

        Args:
            setup: how each makes its engine.
            number: how many.
            near: loads the engine that `engine` is, in this process, where requests are checked; as `setup` if absent.
            again: do jobs of a process that dies once more; False: they fail with `EngineLostError`.
        """
        self._setup, self._near, self._again = setup, near or setup.load, again
        self._lock = threading.RLock()
        self._waiting: deque[_Sent] = deque()
        self._processes: list[_Process] = []
        self._number = number
        self._fallen = 0
        """Processes that ended before they were loaded, one after the other."""
        self._closed = False
        self._loaded = threading.Event()
        self.engine: VallE | None = None
        """The engine of this process, once one of the others is ready; it never speaks."""
        self.failure: BaseException | None = None
        """Why there is no engine."""

    @property
    def ready(self) -> bool:
        """Whether one does something where there is something to do."""
        return self.engine is not None and self.failure is None and any(each.moves for each in self._processes)

    @property
    def busy(self) -> int:
        """How many jobs are at the engines, or wait for a process."""
        with self._lock:
            return len(self._waiting) + sum(len(each.sent) for each in self._processes)

    @property
    def pids(self) -> list[int]:
        """Of the processes that are ready."""
        return [each.pid for each in self._processes if each.loaded]

    def start(self) -> None:
        """Begin to load."""
        with self._lock:
            self._processes = [_Process(self._setup, self) for _ in range(self._number)]
        threading.Thread(target=self._load, name="engines", daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Until one engine is loaded, or can't be; whether that is so."""
        return self._loaded.wait(timeout)

    def submit(self, job: EngineJob, ended: Callable[[EngineJob], None]) -> None:
        """Take on a job; `ended` is called in some thread when nothing more is made of it."""
        with self._lock:
            self._waiting.append(_Sent(job, ended))
            self._hand_out()

    def close(self, timeout: float = 5.0) -> None:
        """End all jobs and processes."""
        with self._lock:
            self._closed = True
            processes, waiting = self._processes, list(self._waiting)
            self._waiting.clear()
        for each in processes:
            each.end()
        until = time.monotonic() + timeout
        for each in processes:
            each.join(max(0.0, until - time.monotonic()))
        for sent in waiting:
            self.finish(sent, "cancelled")

    def _load(self) -> None:
        try:
            engine = self._near()
        except BaseException as error:
            self.fail(error)
            return
        for each in list(self._processes):
            each.tried.wait()
        if self.failure is None:
            self.engine = engine
        self._loaded.set()

    def fail(self, error: BaseException) -> None:
        """There will be no engine."""
        self.failure = self.failure or error
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        self._loaded.set()
        for sent in waiting:
            self.finish(sent, "failed", error=error)

    def _hand_out(self) -> None:
        """Give waiting jobs to processes; one that is to be alone waits for an idle one, which then takes no other."""
        kept: deque[_Sent] = deque()
        while self._waiting:
            sent = self._waiting.popleft()
            free = [each for each in self._processes if each.takes(sent)]
            if free:
                min(free, key=lambda each: len(each.sent)).begin(sent)
            else:
                kept.append(sent)
        self._waiting = kept

    # what the threads of the processes call

    def loaded(self, process: _Process, failure: BaseException | None) -> None:
        """A process has loaded its engine, or couldn't."""
        with self._lock:
            process.loaded = process.moves = failure is None
            if failure is None:
                self._fallen = 0
                self._hand_out()
        if failure is not None and self.engine is None:
            self.fail(failure)

    def over(self, process: _Process, number: int, state: State, result: object, error: BaseException | None) -> None:
        """A process is done with a job."""
        with self._lock:
            sent = process.sent.pop(number, None)
            self._hand_out()
        if sent is not None:
            self.finish(sent, state, result, error)

    def finish(
        self, sent: _Sent, state: State, result: object = None, error: BaseException | None = None
    ) -> None:  # fmt: skip
        """Nothing more is made of a job. The lock must be free: `ended` may bring the next one."""
        sent.job.end(state, result=result, error=error)
        sent.ended(sent.job)

    def lost(self, process: _Process, code: int | None) -> None:
        """A process has ended: replace it, and give its jobs to others."""
        error = self.failure or _ended(code)
        with self._lock:
            self._fallen += not process.loaded
            process.loaded = process.moves = False
            self._processes.remove(process)
            if not self._closed and self.failure is None and self._fallen < MOST_LOADS:
                self._processes.append(_Process(self._setup, self))
            jobs, process.sent = list(process.sent.values()), {}
            going = self._again and self._processes and not self._closed
            again = [each for each in jobs if going and _untold(each)]
            for each in again:
                each.alone = True
            self._waiting.extend(again)
            self._hand_out()
            none_left = not self._processes and not self._closed
        if none_left:
            self.fail(error)
        for each in jobs:
            if each.job.cancelled or self._closed:
                self.finish(each, "cancelled")
            elif each not in again:
                self.finish(each, "failed", error=error)


def _untold(sent: _Sent) -> bool:
    """Whether a job may be done again: nothing of it was heard, and no process has died with it alone."""
    return not sent.alone and not sent.received and not sent.job.cancelled


class EngineLostError(VallEError):
    """The process that made something has died."""


def _ended(code: int | None) -> EngineLostError:
    """What is said of a job whose process is gone."""
    killed = code is not None and code < 0
    cause = f"signal {-code}" if killed and code is not None else f"exit code {code}"
    hint = " (the system may have run out of memory)" if killed and code == -signal.SIGKILL else ""
    return EngineLostError("the process that made the speech ended", cause=f"{cause}{hint}", try_="again")


class _Process:
    """The near end of one process: a thread that writes to it, and one that reads from it."""

    def __init__(self, setup: Setup, parent: Processes) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs, setup), name="engine", daemon=True)
        self._parent = parent
        self._numbers = count(1)
        self._outbox: SimpleQueue[tuple[str, int, object] | None] = SimpleQueue()
        self._answered = self._asked = time.monotonic()
        self.sent: dict[int, _Sent] = {}
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

    def takes(self, sent: _Sent) -> bool:
        """Whether it can be given a job."""
        if sent.alone:
            return self.loaded and not self.sent
        return self.loaded and not any(each.alone for each in self.sent.values())

    def begin(self, sent: _Sent) -> None:
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
