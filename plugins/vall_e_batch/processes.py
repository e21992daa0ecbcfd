"""Engines in processes of their own, for `--engine-workers`: the same rows, the same samples."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, Registry, VallEError
from vall_e_lm import ModelOptions
from vall_e_tts import CallWork, EngineJob, EngineLostError, Hear, LoadEngine, Processes, Setup, SpeechWork

from .entries import failure
from .jobs import Job
from .journal import Entry
from .output import RowOutput, Unwritable, model_arguments, request_of, write_transcript
from .runner import AHEAD, Take
from .settling import CODES

if TYPE_CHECKING:
    from vall_e_audio import Wave
    from vall_e_stt import Transcription

LOOKED_EVERY = 0.2
"""Seconds between two looks at whether the run is to end."""


def _work_of(job: Job) -> CallWork | SpeechWork:
    """What a process is asked to do. Raises InputError."""
    if job.hears:
        return CallWork(Hear(job.recording, job.hearing.options, job.hearing.chain))
    return SpeechWork(request_of(job), job.speaking.chains, patient=True, keep_parts=job.format == CODES)


class _RowJob(EngineJob):
    """A row at a process."""

    def __init__(self, job: Job, work: Any, folder: Path, model: dict[str, object], alone: bool) -> None:  # noqa: ANN401 - any `Work`
        super().__init__(work, unread=None)
        self.row, self.alone = job, alone
        self.output = RowOutput(folder, job, model)
        self.rate = 0

    def put(self, wave: Wave, sample_rate: int) -> None:
        self.rate = sample_rate
        super().put(wave, sample_rate)


class ProcessWorkers:
    """As `RowWorker`, with several engines. The row of a process that dies is made once more, alone."""

    def __init__(
        self, options: ModelOptions, registry: Registry, folder: Path, *, number: int, rows: int,
        watch: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        """
        Args:
            options: which model each process loads.
            registry: whether it has plugins of third parties; each process finds its own.
            folder: where the outputs go.
            number: how many processes.
            rows: sentences that each writes at the same time, at most.
            watch: called several times a second; what it raises ends the work.
        """
        self._setup = Setup(LoadEngine.of(options, registry, number), rows)
        self._number, self._most, self._watch, self.folder = number, number * (rows + AHEAD), watch, folder
        self._model = model_arguments(options)
        self._again: deque[Job] = deque()
        self._refused: deque[Entry] = deque()
        """Of rows that no process was asked for."""
        self._tried: set[str] = set()
        """Rows that have failed once as rows shouldn't."""

    def work(self, take: Take) -> Iterator[Entry]:
        """The entries of all jobs that `take` gives, as they are finished. Raises why no engine could be loaded."""
        news: SimpleQueue[_RowJob] = SimpleQueue()
        at_work: set[_RowJob] = set()
        runner = Processes(self._setup, self._number, near=lambda: None, again=False)
        runner.start()
        try:
            while True:
                self._admit(take, at_work, runner, news)
                while self._refused:
                    yield self._refused.popleft()
                if not at_work:
                    return
                self._watch()
                try:
                    job = news.get(timeout=LOOKED_EVERY)
                except Empty:
                    continue
                if runner.failure is not None:
                    raise runner.failure
                entry = self._look(job, at_work) if job in at_work else None
                if entry is not None:
                    yield entry
        finally:
            for each in at_work:
                each.output.close()
            runner.close()

    def _admit(self, take: Take, at_work: set[_RowJob], runner: Processes, news: SimpleQueue[_RowJob]) -> None:
        """Hand out rows; one that is to be alone waits until nothing else is made."""
        while len(at_work) < self._most and not any(each.alone for each in at_work):
            alone = bool(self._again)
            job = (None if at_work else self._again.popleft()) if alone else take(not at_work)
            if job is None:
                return
            try:
                work = _work_of(job)
            except InputError as error:  # such as a part of a recording that can't be read
                self._refused.append(failure(job, error, time.monotonic()))
                continue
            found = _RowJob(job, work, self.folder, self._model, alone)
            at_work.add(found)
            found.listen(lambda found=found: news.put(found))  # type: ignore[misc]
            runner.submit(found, lambda _, found=found: news.put(found))  # type: ignore[misc]

    def _look(self, job: _RowJob, at_work: set[_RowJob]) -> Entry | None:
        """Write what has come of a row; its entry once it is over."""
        over = job.finished
        for wave in job.read():
            job.output.write(wave, job.rate)
        if not over:
            return None
        at_work.remove(job)
        began = job.created if job.started is None else job.started
        error = job.error
        try:
            if error is None:
                return self._finished(job, began)
        except Unwritable:
            raise
        except Exception as odd:  # of whatever kind: it is this row's
            error = odd
        job.output.close()
        assert error is not None
        unexpected = isinstance(error, EngineLostError) or not isinstance(error, VallEError)
        if unexpected and job.row.row.id not in self._tried:
            self._tried.add(job.row.row.id)
            self._again.append(job.row)
            return None
        return failure(job.row, error, began)

    def _finished(self, job: _RowJob, began: float) -> Entry:
        if job.row.hears:
            heard: Transcription = job.result
            return write_transcript(self.folder, job.row, heard.phonemes, heard.record, began)
        return job.output.finish(job.result.record, [each.codes for each in job.result.parts])
