"""Several engines, each in a process of its own, that share the jobs: one for each core, and none dies with another."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from vall_e_core import VallEError

from .job import EngineJob, State
from .near_end import NearEnd, Sent
from .process import Setup

if TYPE_CHECKING:
    from ..valle import VallE

MOST_LOADS = 3
"""A process that ends before its engine was loaded is started so often, one after the other."""


class Processes:
    """As `Worker`, with several engines: a job goes to the process that has the fewest.

    A process that dies, or whose engine doesn't move for a minute, is replaced. Jobs of it that nobody has heard
    anything of are done once more, each alone; the others fail. Of a job that is read as a whole, nobody has heard
    anything before its end.
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
        self._waiting: deque[Sent] = deque()
        self._processes: list[NearEnd] = []
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
            self._processes = [NearEnd(self._setup, self) for _ in range(self._number)]
        threading.Thread(target=self._load, name="engines", daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Until one engine is loaded, or can't be; whether that is so."""
        return self._loaded.wait(timeout)

    def submit(self, job: EngineJob, ended: Callable[[EngineJob], None]) -> None:
        """Take on a job; `ended` is called in some thread when nothing more is made of it."""
        with self._lock:
            self._waiting.append(Sent(job, ended))
            self._hand_out()

    def close(self, timeout: float = 5.0) -> None:
        """End all jobs and processes."""
        with self._lock:
            self._closed = True
            processes, waiting = list(self._processes), list(self._waiting)  # one that ends leaves the list
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
        kept: deque[Sent] = deque()
        while self._waiting:
            sent = self._waiting.popleft()
            free = [each for each in self._processes if each.takes(sent)]
            if free:
                min(free, key=lambda each: len(each.sent)).begin(sent)
            else:
                kept.append(sent)
        self._waiting = kept

    # what the threads of the processes call

    def loaded(self, process: NearEnd, failure: BaseException | None) -> None:
        """A process has loaded its engine, or couldn't."""
        with self._lock:
            process.loaded = process.moves = failure is None
            if failure is None:
                self._fallen = 0
                self._hand_out()
        if failure is not None and self.engine is None:
            self.fail(failure)

    def over(self, process: NearEnd, number: int, state: State, result: object, error: BaseException | None) -> None:
        """A process is done with a job."""
        with self._lock:
            sent = process.sent.pop(number, None)
            self._hand_out()
        if sent is not None:
            self.finish(sent, state, result, error)

    def finish(
        self, sent: Sent, state: State, result: object = None, error: BaseException | None = None
    ) -> None:  # fmt: skip
        """Nothing more is made of a job. The lock must be free: `ended` may bring the next one."""
        sent.job.end(state, result=result, error=error)
        sent.ended(sent.job)

    def lost(self, process: NearEnd, code: int | None) -> None:
        """A process has ended: replace it, and give its jobs to others."""
        error = self.failure or _ended(code)
        with self._lock:
            self._fallen += not process.loaded
            process.loaded = process.moves = False
            self._processes.remove(process)
            if not self._closed and self.failure is None and self._fallen < MOST_LOADS:
                self._processes.append(NearEnd(self._setup, self))
            jobs, process.sent = list(process.sent.values()), {}
            going = self._again and self._processes and not self._closed
            again = [each for each in jobs if going and _untold(each)]
            for each in again:
                each.alone, each.received = True, 0.0
                each.job.start_over()
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


def _untold(sent: Sent) -> bool:
    """Whether a job may be done again: nothing of it was heard, and no process has died with it alone."""
    return not sent.alone and (sent.job.whole or not sent.received) and not sent.job.cancelled


class EngineLostError(VallEError):
    """The process that made something has died."""


def _ended(code: int | None) -> EngineLostError:
    """What is said of a job whose process is gone."""
    killed = code is not None and code < 0
    cause = f"signal {-code}" if killed and code is not None else f"exit code {code}"
    hint = " (the system may have run out of memory)" if killed and code == -signal.SIGKILL else ""
    return EngineLostError("the process that made the speech ended", cause=f"{cause}{hint}", try_="again")
