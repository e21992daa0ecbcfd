"""Rows on a Ray cluster: handed to actors, made again where one dies, written here."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from vall_e_batch import Assignment, Entry, FarRow, Job, Take
from vall_e_core import VallEError
from vall_e_tts import EngineLostError, LoadEngine

from .actor import RowActor
from .cluster import Handle, RayModule, Ref, connected
from .pool import Actor, Lost, Pool, Sent

if TYPE_CHECKING:
    from . import Ray

LOOKED_EVERY = 0.2
"""Seconds between two looks at whether the run is to end."""
MOST_LOSSES = 3
"""So many actors that made it may die, all but the first with it alone; then it counts as failed."""


class RayWorkers:
    """As `RowWorker`, with engines on a cluster.

    Plain actors rather than Ray Data: a row comes back when it is finished and not with its block, so that the journal
    knows of it, and an actor gets its next row while it makes others.
    """

    def __init__(self, runner: Ray, work: Assignment) -> None:
        self._runner, self._work = runner, work
        threads = work.model.threads
        needs = {"CPU": runner.cpus or float(threads or 1)}
        if gpus := runner.gpus or float(str(work.model.device).startswith("cuda")):
            needs["GPU"] = gpus
        self._needs = needs
        options = replace(work.model, threads=threads or max(1, int(needs["CPU"])))
        self._load = replace(LoadEngine.of(work.model, work.registry, 1), options=options)
        self._again: deque[tuple[Job, bool]] = deque()
        """Rows of actors that have died, and whether they are to be alone."""
        self._losses: Counter[str] = Counter()

    def work(self, take: Take) -> Iterator[Entry]:
        """The entries of all jobs that `take` gives, as they are finished.

        Raises ModelError, UsageError and DeviceError where there is no cluster or no machine that can be used.
        """
        work = self._work
        most = min(work.count, work.engines or work.count)
        with connected(self._runner.address, ceil(self._needs["CPU"] * (work.engines or 1))) as ray:
            pool = Pool(ray, lambda: self._actor(ray), self._needs, most, work.engines is not None, work.notify)
            try:
                while self._hand_out(take, pool):
                    work.watch()
                    pool.grow()
                    for actor, ref in pool.news(LOOKED_EVERY):
                        for job, row in self._over(pool, actor, ref):
                            yield work.receive(job, row)
            finally:
                pool.close()

    def _actor(self, ray: RayModule) -> Handle:
        """Ask for an actor, which the cluster makes when it has room."""
        made = ray.remote(RowActor).options(
            num_cpus=self._needs["CPU"], num_gpus=self._needs.get("GPU", 0.0), max_concurrency=self._work.most + 1,
            max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD",
        )  # fmt: skip
        return made.remote(self._load, self._work.identity, self._work.rows)

    def _hand_out(self, take: Take, pool: Pool) -> bool:
        """Give rows to actors that have room, the least busy one first. Whether there is anything to wait for."""
        busy = any(actor.jobs for actor in pool.ready)
        while free := [each for each in pool.ready if not each.alone and len(each.jobs) < self._work.most]:
            actor = min(free, key=lambda each: len(each.jobs))
            found = self._next(take, idle=not actor.jobs, busy=busy)
            if found is None:
                break
            job, actor.alone = found
            actor.jobs[actor.handle.make.remote(job)] = Sent(job, time.monotonic())
            busy = True
        return busy or bool(self._again) or not pool.ready

    def _next(self, take: Take, *, idle: bool, busy: bool) -> tuple[Job, bool] | None:
        """The next row for an actor, and whether it is to be alone, for which the actor has to be `idle`."""
        for _ in range(len(self._again)):
            job, alone = self._again.popleft()
            if idle or not alone:
                return job, alone
            self._again.append((job, alone))
        fresh = take(not busy and not self._again)
        return None if fresh is None else (fresh, False)

    def _over(self, pool: Pool, actor: Actor, ref: Ref) -> list[tuple[Job, FarRow]]:
        """The rows that are over with a result; those of an actor that is gone are made again."""
        try:
            row: FarRow = pool.result(ref)
        except VallEError as error:
            self._again.extend((each.job, False) for each in actor.jobs.values())
            pool.leave_out(actor, error)
            return []
        except Lost as lost:
            pool.drop(actor)
            return self._lost(list(actor.jobs.values()), str(lost))
        sent = actor.jobs.pop(ref)
        actor.alone = actor.alone and bool(actor.jobs)
        return [(sent.job, row)]

    def _lost(self, rows: Sequence[Sent], cause: str) -> list[tuple[Job, FarRow]]:
        """Rows whose actor has died: those that have failed for good."""
        failed = []
        for each in rows:
            self._losses[each.job.row.id] += 1
            if self._losses[each.job.row.id] < MOST_LOSSES:
                self._again.append((each.job, True))
                continue
            error = EngineLostError("the actors that made it have died", cause=cause, try_="--retry-failed")
            failed.append((each.job, FarRow.failed(each.job, error, each.began)))
        return failed
