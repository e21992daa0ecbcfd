"""One thread that owns the engine and works on jobs wave by wave.

Only this file knows how jobs reach the engine. Of those that have room for more sound, the one goes on that has had the
least of the engine's time: a new one is heard soon, and neither a long text nor a slow reader holds up the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .job import Cancelled, Job

if TYPE_CHECKING:
    from vall_e_audio import Wave
    from vall_e_tts import VallE

STUCK_SECONDS = 60.0
"""A job at the engine without a step for so long means that something hangs."""


@dataclass
class _Open:
    """A job at the engine, and where its waves come from once it has begun."""

    job: Job
    waves: Iterator[Wave] | None = None
    spent: float = 0.0
    """Seconds that the engine has worked on it."""


class Worker:
    """Loads the engine in a thread of its own and runs jobs there.

        worker = Worker(VallE.load)
        worker.start()
        worker.submit(job, ended)
        worker.close()
    """

    def __init__(self, load: Callable[[], VallE], *, warm: Callable[[VallE], None] | None = None) -> None:
        """Prepare a worker.

        Args:
            load: makes the engine; called in the thread.
            warm: a first use of the engine, before anybody waits for it.
        """
        self._load, self._warm = load, warm
        self._changed = threading.Condition()
        self._open: list[_Open] = []
        self._ended: dict[int, Callable[[Job], None]] = {}
        self._closed = False
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

    def submit(self, job: Job, ended: Callable[[Job], None]) -> None:
        """Take on a job; `ended` is called in the engine's thread when nothing more is made of it."""
        job.begin(self._wake)
        with self._changed:
            self._ended[id(job)] = ended
            self._open.append(_Open(job))
            self._changed.notify()

    def close(self, timeout: float = 5.0) -> None:
        """End all jobs and the thread."""
        with self._changed:
            self._closed = True
            for each in self._open:
                each.job.cancel()
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        try:
            engine = self._load()
            if self._warm is not None:
                self._warm(engine)
        except BaseException as error:
            self.failure = error  # told by whoever started the worker
            return
        self.engine = engine
        while (item := self._next()) is not None:
            began = self._stepped = time.monotonic()
            self._step(engine, item)
            item.spent += time.monotonic() - began

    def _next(self) -> _Open | None:
        """A job that was cancelled, else of those with room the one that has had the least; None at the end."""
        with self._changed:
            while True:
                gone = next((each for each in self._open if each.job.cancelled), None)
                able = [each for each in self._open if each.job.has_room]
                found = gone or min(able, key=lambda each: each.spent, default=None)
                if found is not None:
                    return found
                if self._closed:
                    return None
                self._changed.wait()

    def _step(self, engine: VallE, item: _Open) -> None:
        """One wave of a job, or its end."""
        job = item.job

        def progress(_stage: str, _done: int, _most: int) -> None:
            self._stepped = time.monotonic()
            if job.cancelled:
                raise Cancelled

        try:
            if job.cancelled:
                raise Cancelled
            if item.waves is None:
                item.waves = job.work.begin(engine, progress)
            wave = next(item.waves, None)
            if wave is None:
                result = job.work.result()
                self._finish(item, lambda: job.end("done", result=result))
            else:
                job.put(wave, engine.codec.sample_rate)
        except Cancelled:
            self._finish(item, lambda: job.end("cancelled"))
        except (Exception, SystemExit, GeneratorExit) as error:  # a job's failure is its own, the thread goes on
            failure = error
            self._finish(item, lambda: job.end("failed", error=failure))

    def _finish(self, item: _Open, end: Callable[[], None]) -> None:
        close = getattr(item.waves, "close", None)
        if close is not None:
            with suppress(Exception):  # it has failed or was left: what closing it says helps nobody
                close()
        with self._changed:
            self._open.remove(item)
            ended = self._ended.pop(id(item.job))
        end()
        ended(item.job)
