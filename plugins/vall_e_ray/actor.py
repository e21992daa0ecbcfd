"""The actor: one engine on a machine of the cluster, with the rows that it is given."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from queue import Empty, SimpleQueue

from vall_e_batch import FarRow, FarWorker, Job
from vall_e_core import __version__
from vall_e_tts import LoadEngine

STUCK_SECONDS = 300.0
"""Rows without a step for so long mean that something hangs: the process ends, and they are made elsewhere."""


@dataclass(frozen=True)
class Place:
    """Where an actor is."""

    machine: str
    processor: str
    vall_e: str
    torch: str


class RowActor:
    """A `FarWorker` in a thread of its own. `make` is called by several threads at once, one for each row."""

    def __init__(
        self, load: LoadEngine, identity: str, rows: int, give_up: Callable[[], object] = lambda: os._exit(1)
    ) -> None:
        """
        Args:
            load: makes the engine.
            identity: the batch's (`Assignment.identity`).
            rows: sentences that are written at the same time, at most.
            give_up: called where nothing has moved for `STUCK_SECONDS`; ends the process.
        """
        self._load, self._identity, self._rows, self._give_up = load, identity, rows, give_up
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._waiting: dict[str, Future[FarRow]] = {}
        self._place: Future[Place] = Future()
        self._moved = time.monotonic()
        self._lock = threading.Lock()
        self._ended: BaseException | None = None

    def load(self) -> Place:
        """Load the engine. Raises what keeps it from that."""
        threading.Thread(target=self._run, name="engine", daemon=True).start()
        found = self._place.result()
        threading.Thread(target=self._look_after, name="watchdog", daemon=True).start()
        return found

    def make(self, job: Job) -> FarRow:
        """Make a row beside others. Raises what has ended the engine."""
        future: Future[FarRow] = Future()
        with self._lock:
            if self._ended is not None:
                raise self._ended
            self._waiting[job.row.id] = future
            self._moved = time.monotonic()
        self._jobs.put(job)
        return future.result()

    def _run(self) -> None:
        try:
            engine = self._load()
            worker = FarWorker(engine, self._identity, rows=self._rows, watch=self._step)
            place = Place(platform.node(), worker.processor, __version__, version("torch"))
            self._place.set_result(place)
            for row in worker.work(self._take):
                with self._lock:
                    future = self._waiting.pop(row.entry.id)
                future.set_result(row)
        except BaseException as error:
            with self._lock:
                self._ended = error
                waiting = list(self._waiting.values())
            for each in waiting:
                each.set_exception(error)
            if not self._place.done():
                self._place.set_exception(error)

    def _take(self, wait: bool) -> Job | None:
        if wait:
            return self._jobs.get()
        try:
            return self._jobs.get_nowait()
        except Empty:
            return None

    def _step(self) -> None:
        self._moved = time.monotonic()

    def _look_after(self) -> None:
        while self._ended is None:
            time.sleep(STUCK_SECONDS / 10)
            if self._waiting and time.monotonic() - self._moved > STUCK_SECONDS:
                self._give_up()
                return
