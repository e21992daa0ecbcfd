"""Who may use the engine now, who waits, and who is told to come back later."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from vall_e_tts import EngineJob, JobRunner

Reason = Literal["queue_full", "too_many_requests", "loading", "draining"]
FIRST_GUESS = 2.0
"""Seconds that a job takes, before any was measured."""
_WEIGHT = 0.2
_SOONEST, _LATEST = 1, 120
"""Bounds of what is said to come back after, in seconds."""


class Refused(Exception):
    """A job that can't be taken on now."""

    def __init__(self, reason: Reason, retry_after: int) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Bounds:
    """How many jobs there may be."""

    rows: int = 8
    """At the engine."""
    queue: int = 32
    """Waiting."""
    per_key: int = 8
    """Of one key, both together."""


class Admission:
    """The queue in front of the worker. Every method may be called from any thread."""

    def __init__(self, worker: JobRunner, bounds: Bounds) -> None:
        self.worker, self.bounds = worker, bounds
        self.draining = False
        """Set when the server is to end: what is under way is finished, nothing new is taken on."""
        self._lock = threading.Lock()
        self._waiting: deque[EngineJob] = deque()
        self._running: set[EngineJob] = set()
        self._owners: Counter[str] = Counter()
        self._seconds = FIRST_GUESS

    @property
    def depth(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many are at the engine."""
        return len(self._running)

    @property
    def ready(self) -> bool:
        """Whether a job would be worked on."""
        return self.worker.ready and not self.draining

    def check(self, owner: str) -> None:
        """Whether another job of a key would be taken on. Raises Refused."""
        with self._lock:
            self._check(owner)

    def submit(self, job: EngineJob) -> None:
        """Take on a job: the engine begins with it, or it waits. Raises Refused."""
        with self._lock:
            self._check(job.owner)
            self._owners[job.owner] += 1
            self._waiting.append(job)
            self._advance()

    def leave(self, job: EngineJob) -> None:
        """Nobody waits for a job any more: it ends at the next step, or at once where it hasn't begun."""
        job.cancel()
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
            self._release(job.owner)
        job.end("cancelled")

    def _check(self, owner: str) -> None:
        if self.draining:
            raise Refused("draining", _SOONEST)
        if self.worker.engine is None:
            raise Refused("loading", 2)
        if self._owners[owner] >= self.bounds.per_key:
            raise Refused("too_many_requests", self._wait())
        if len(self._running) >= self.bounds.rows and len(self._waiting) >= self.bounds.queue:
            raise Refused("queue_full", self._wait())

    def _wait(self) -> int:
        """Seconds until a place in the queue is likely to be free, from the rate of late."""
        ahead = len(self._waiting) + len(self._running)
        return min(max(math.ceil(ahead * self._seconds / 2), _SOONEST), _LATEST)

    def _advance(self) -> None:
        while self._waiting and len(self._running) < self.bounds.rows:
            job = self._waiting.popleft()
            self._running.add(job)
            self.worker.submit(job, self._ended)

    def _ended(self, job: EngineJob) -> None:
        with self._lock:
            self._running.discard(job)
            self._release(job.owner)
            if job.state == "done" and job.started is not None and job.ended is not None:
                alone = (job.ended - job.started) / (len(self._running) + 1)
                self._seconds += _WEIGHT * (alone - self._seconds)
            self._advance()

    def _release(self, owner: str) -> None:
        self._owners[owner] -= 1
        if self._owners[owner] <= 0:
            del self._owners[owner]
