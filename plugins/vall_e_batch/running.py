"""A batch while it runs: what is left to do, who does it, and what the journal says of it."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .folder import Scan, copy_output
from .jobs import Job, sections
from .journal import Entry, Journal
from .output import writing
from .rows import RowResult
from .runner import Workers


@dataclass
class Tally:
    """How far a batch is."""

    rows: int
    done: int = 0
    failed: int = 0
    crashed: int = 0
    """Of those that have failed: their processes died."""
    kept: int = 0
    """Of those that are done or failed: from earlier runs."""
    seconds: float = 0.0
    """Of speech that this run has made."""
    expected: float = 0.0
    """Seconds of speech that the texts of this run usually take."""
    passed: float = 0.0
    """The same of those that are over."""
    verdicts: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> int:
        """Rows that are neither done nor failed."""
        return self.rows - self.done - self.failed

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    @property
    def speed(self) -> float:
        """Seconds of speech per second."""
        return self.seconds / max(self.elapsed, 1e-6)

    @property
    def remaining(self) -> float | None:
        """Seconds until the end, by what has been made so far; None where nothing has been."""
        if self.passed <= 0:
            return None
        return self.elapsed * max(0.0, self.expected - self.passed) / self.passed

    def count(self, entry: Entry, *, kept: bool, expected: float = 0.0) -> None:
        """One more is over."""
        self.kept += kept
        self.passed += expected
        if entry.status != "done":
            self.failed += 1
            self.crashed += entry.status == "crashed"
        else:
            self.done += 1
            self.verdicts[entry.verdict or "ok"] += 1
            self.seconds += 0.0 if kept else entry.seconds


class Run:
    """One run over some jobs of a folder. `results` is by the row's place in the batch."""

    def __init__(
        self,
        folder: Path,
        jobs: Sequence[Job],
        *,
        restart: bool = False,
        retry_failed: bool = False,
        max_failures: int | None = None,
        told: Callable[[Tally, RowResult], None] | None = None,
    ) -> None:
        """
        Args:
            folder: where the outputs go.
            jobs: what is to be there in the end.
            restart: make all of it, whatever is there.
            retry_failed: make what has failed before.
            max_failures: stop after more failures than this.
            told: called for every row that this run has made, or tried to.
        """
        self.folder, self.jobs, self.max_failures = folder, jobs, max_failures
        self.tally = Tally(len(jobs))
        self.results: dict[int, RowResult] = {}
        self.stopped = False
        """Whether there were too many failures."""
        self._told = told
        self._journal: Journal | None = None
        self._twins: dict[str, list[Job]] = {}
        """Jobs that wait for another with the same key."""
        self._failed = 0
        self._scan = Scan(folder, jobs)
        self.left = deque(sections(self._look(restart=restart, retry_failed=retry_failed)))
        """What is to be made, in the order in which it is."""

    def _look(self, *, restart: bool, retry_failed: bool) -> list[Job]:
        """Take over what is there already; what isn't."""
        left: list[Job] = []
        self._adopted: list[tuple[Job, Entry]] = []
        for job in self.jobs:
            entry = None if restart else self._scan.known(job)
            if entry is not None and (entry.status == "done" or not retry_failed):
                self._keep(job, entry)
                continue
            found = None if restart or entry is not None else self._scan.adopt(job)
            if found is not None:
                self._adopted.append((job, found))
                self._keep(job, found)
            else:
                left.append(job)
                self.tally.expected += job.expected
        return left

    def _keep(self, job: Job, entry: Entry) -> None:
        self.tally.count(entry, kept=True)
        self.results[job.index] = result_of(self.folder, entry, made=False)

    def go(self, workers: Callable[[int], Workers], journal: Journal) -> None:
        """Make what is left. `workers` is called where there is anything, with how many rows that may be.

        Raises Unwritable where no more can be written, and whatever ends the workers.
        """
        self._journal = journal
        for _, entry in self._adopted:
            journal.append(entry)
        first = self._next()
        if first is None:
            return
        waiting = deque([first])
        entries = workers(1 + len(self.left)).work(lambda _wait: waiting.popleft() if waiting else self._next())
        by_id = {job.row.id: job for job in self.jobs}
        for entry in entries:
            self._over(by_id[entry.id], entry)
            if self.stopped:
                break
        close = getattr(entries, "close", None)
        if close is not None:
            close()

    def _next(self) -> Job | None:
        """The next job that has to be made; one whose key has been made is copied instead."""
        while self.left and not self.stopped:
            job = self.left.popleft()
            waiting = self._twins.get(job.key)
            if waiting is not None:
                waiting.append(job)
                continue
            twin = self._scan.twin(job)
            if twin is None or twin.out == job.out:
                self._twins[job.key] = []
                return job
            self._copy(twin, job)
        return None

    def _over(self, job: Job, entry: Entry) -> None:
        """A job is done or failed, and so are those with its key."""
        self._note(job, entry)
        for twin in self._twins.pop(job.key, []):
            if entry.status == "done":
                self._copy(entry, twin)
            else:
                self._note(twin, replace(entry, id=twin.row.id, out=twin.out))
        if entry.status == "done":
            self._scan.remember(entry)

    def _copy(self, source: Entry, job: Job) -> None:
        with writing(self.folder / job.out):
            self._note(job, copy_output(self.folder, source, job))

    def _note(self, job: Job, entry: Entry) -> None:
        assert self._journal is not None
        self._journal.append(entry)
        self.tally.count(entry, kept=False, expected=job.expected)
        self._failed += entry.status != "done"
        self.stopped = self.stopped or (self.max_failures is not None and self._failed > self.max_failures)
        result = self.results[job.index] = result_of(self.folder, entry, made=True)
        if self._told is not None:
            self._told(self.tally, result)

    def result(self, job: Job) -> RowResult:
        """What is known of a job."""
        found = self.results.get(job.index)
        return RowResult(job.row.id, "left", job.key, self.folder / job.out, job.seed) if found is None else found


def result_of(folder: Path, entry: Entry, *, made: bool) -> RowResult:
    """An entry as a result."""
    return RowResult(
        entry.id, entry.status, entry.key, folder / entry.out, entry.seed, entry.sha256, entry.seconds, entry.spent,
        entry.tries, entry.verdict, entry.error, entry.heard, made,
    )  # fmt: skip
