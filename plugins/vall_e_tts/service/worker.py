"""One thread that owns the engine and works on all jobs at once.

Only this file knows how jobs reach the engine. Speech of several jobs is made side by side, so that none waits for the
end of another; a call of the engine lets the speech go on between its own steps. One whose reader is slow waits without
holding up the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .job import Cancelled, EngineJob, State

if TYPE_CHECKING:
    from ..synthesis.scheduler import Scheduler
    from ..synthesis.stream import SpeechStream
    from ..valle import VallE

STUCK_SECONDS = 60.0
"""A job at the engine without a step for so long means that something hangs."""


@dataclass(eq=False)
class _Open:
    """A job at the engine, and its speech once it has begun."""

    job: EngineJob
    begun: bool = False
    stream: SpeechStream | None = None


class Worker:
    """Loads the engine in a thread of its own and runs jobs there.

        worker = Worker(VallE.load)
        worker.start()
        worker.submit(job, ended)
        worker.close()
    """

    def __init__(
        self, load: Callable[[], VallE], *, rows: int = 8, warm: Callable[[Scheduler], None] | None = None
    ) -> None:
        """Prepare a worker.

        Args:
            load: makes the engine; called in the thread.
            rows: sentences that are written at the same time, at most.
            warm: a first use of the engine and its scheduler, before anybody waits for them.
        """
        self._load, self._rows, self._warm = load, rows, warm
        self._changed = threading.Condition()
        self._open: list[_Open] = []
        self._ended: dict[int, Callable[[EngineJob], None]] = {}
        self._closed = False
        self._news = 0
        """Counts what a turn has to look at."""
        self._loaded = threading.Event()
        self._stepped = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.engine: VallE | None = None
        """The engine, once it is loaded and warm."""
        self.failure: BaseException | None = None
        """Why it couldn't be loaded."""

    @property
    def ready(self) -> bool:
        """Whether it is loaded, and does something where there is something to do."""
        if self.engine is None or not self._thread.is_alive():
            return False
        return not self.busy or time.monotonic() - self._stepped < STUCK_SECONDS

    @property
    def busy(self) -> int:
        """How many jobs are at the engine."""
        return len(self._open)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Until the engine is loaded, or couldn't be; whether that is so."""
        return self._loaded.wait(timeout)

    def submit(self, job: EngineJob, ended: Callable[[EngineJob], None]) -> None:
        """Take on a job; `ended` is called in the engine's thread when nothing more is made of it."""
        job.begin(self._wake)
        with self._changed:
            self._ended[id(job)] = ended
            self._open.append(_Open(job))
            self._news += 1
            self._changed.notify()

    def close(self, timeout: float = 5.0) -> None:
        """End all jobs and the thread."""
        with self._changed:
            self._closed = True
            for each in self._open:
                each.job.cancel()
            self._news += 1
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _wake(self) -> None:
        with self._changed:
            self._news += 1
            self._changed.notify()

    def _run(self) -> None:
        try:
            engine = self._load()
            scheduler = engine.scheduler(rows=self._rows, alike=True)
            if self._warm is not None:
                with engine.ready():
                    self._warm(scheduler)
        except BaseException as error:
            self.failure = error  # told by whoever started the worker
            self._loaded.set()
            return
        self.engine = engine
        self._loaded.set()
        with engine.ready():
            while self._turn(scheduler):
                pass

    def _turn(self, scheduler: Scheduler) -> bool:
        """Begin what is new, end what was cancelled, do the next step, and hand out what is there.

        Returns:
            Whether there may be more to do; False when the worker is closed.
        """
        with self._changed:
            seen = self._news
            items = list(self._open)
            if self._closed and not items:
                return False
        for item in items:
            if item not in self._open:
                continue  # a call that came before has let it end
            if item.job.cancelled:
                self._finish(item, "cancelled")
            elif not item.begun:
                self._begin(scheduler, item)
        if not self._speak(scheduler):
            with self._changed:
                self._changed.wait_for(lambda: self._news != seen)
        return True

    def _speak(self, scheduler: Scheduler) -> bool:
        """One step of all speech, and what it gives to each job. Whether anything was done."""
        self._stepped = time.monotonic()
        moved = False
        with suppress(Cancelled):  # of a job that the next turn ends
            moved = scheduler.step()
        for item in [each for each in self._open if each.stream is not None]:
            moved = self._deliver(item) or moved
        return moved

    def _deliver(self, item: _Open) -> bool:
        """What a job's stream holds, as far as its reader has room; whether there was anything."""
        job, stream = item.job, item.stream
        assert stream is not None
        moved = False
        try:
            while job.has_room and not stream.finished:
                wave = stream.poll()
                if wave is not None:
                    job.put(wave, stream.sample_rate)
                elif stream.finished:
                    self._finish(item, "done", result=job.work.result())
                else:
                    break
                moved = True
        except Cancelled:
            self._finish(item, "cancelled")
        except (Exception, SystemExit, GeneratorExit) as error:  # a job's failure is its own, the thread goes on
            self._finish(item, "failed", error=error)
        return moved

    def _begin(self, scheduler: Scheduler, item: _Open) -> None:
        """Begin with a job; one without speech is over then."""
        job = item.job

        def progress(_stage: str, _done: int, _most: int) -> None:
            self._stepped = time.monotonic()
            if job.cancelled:
                raise Cancelled
            if item.stream is None and item.begun:  # a call: the speech of others goes on meanwhile
                self._speak(scheduler)

        try:
            item.begun = True
            item.stream = job.work.begin(scheduler, progress)
            if item.stream is None:
                self._finish(item, "done", result=job.work.result())
        except Cancelled:
            self._finish(item, "cancelled")
        except (Exception, SystemExit, GeneratorExit) as error:  # a job's failure is its own, the thread goes on
            self._finish(item, "failed", error=error)

    def _finish(
        self, item: _Open, state: State, *, result: object = None, error: BaseException | None = None
    ) -> None:  # fmt: skip
        """Nothing more is made for a job."""
        with self._changed:
            if item not in self._open:
                return
            self._open.remove(item)
            ended = self._ended.pop(id(item.job))
        if item.stream is not None:
            with suppress(Exception):  # it has failed or was left: what closing it says helps nobody
                item.stream.close()
        item.job.end(state, result=result, error=error)
        ended(item.job)
