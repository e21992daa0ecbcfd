"""The worker: one engine that makes rows, several side by side."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .entries import failure
from .jobs import Job
from .journal import Entry
from .output import RowOutput, Unwritable, model_arguments, request_of, write_transcript
from .runner import AHEAD, Take
from .settling import CODES

if TYPE_CHECKING:
    from vall_e_tts import SpeechStream, VallE


@dataclass(eq=False)
class _Open:
    """A row at the engine."""

    job: Job
    began: float
    alone: bool
    """Nothing else is made meanwhile."""
    stream: SpeechStream
    output: RowOutput

    def close(self) -> None:
        """Let go of the stream and of what has been written, unless it is finished."""
        self.stream.close()
        self.output.close()


class RowWorker:
    """Makes rows with one engine.

        worker = RowWorker(engine, folder, rows=8)
        for entry in worker.work(take):
            journal.append(entry)

    A row that fails is an entry with its error. Raises `Unwritable` where a result can't be written.
    """

    def __init__(
        self, engine: VallE, folder: Path, *, rows: int = 8, watch: Callable[[], object] = lambda: None
    ) -> None:
        """
        Args:
            engine: what speaks.
            folder: where the outputs go.
            rows: sentences that are written at the same time, at most.
            watch: called between steps; what it raises ends the work.
        """
        self.engine, self.folder, self.rows = engine, folder, rows
        self._watch = watch
        self._scheduler = engine.scheduler(rows=rows, alike=True)
        self._speakers = engine.speakers
        self._model = model_arguments(engine.options)
        self._again: deque[Job] = deque()
        """Rows to be made alone, after a step that they shared has failed."""

    def work(self, take: Take) -> Iterator[Entry]:
        """The entries of all jobs that `take` gives, as they are finished."""
        open_rows: list[_Open] = []
        try:
            with self.engine.ready():
                while True:
                    yield from self._admit(take, open_rows)
                    if not open_rows:
                        if self._again:
                            continue
                        return
                    self._watch()
                    self._scheduler.step()
                    yield from self._collect(open_rows)
        finally:
            for each in open_rows:
                each.close()

    def _admit(self, take: Take, open_rows: list[_Open]) -> Iterator[Entry]:
        """Begin rows as long as there is room. What can't begin is an entry at once, and so is a transcript."""
        while len(open_rows) < self.rows + AHEAD and not any(each.alone for each in open_rows):
            alone = bool(self._again)
            job = (None if open_rows else self._again.popleft()) if alone else take(not open_rows)
            if job is None:
                return
            began = time.monotonic()
            try:
                if job.hears:
                    yield self._hear(job, began)
                else:
                    open_rows.append(self._begin(job, began, alone))
            except Unwritable:
                raise
            except Exception as error:  # of whatever kind: it is this row's
                yield failure(job, error, began)

    def _begin(self, job: Job, began: float, alone: bool) -> _Open:
        stream = self._scheduler.begin(
            self._speakers.prepare(request_of(job)), job.speaking.chains, patient=True, keep_parts=job.format == CODES
        )
        return _Open(job, began, alone, stream, RowOutput(self.folder, job, self._model))

    def _hear(self, job: Job, began: float) -> Entry:
        how = job.hearing
        heard = self.engine.hear(job.recording, how.options, how.chain, progress=self._told)
        return write_transcript(self.folder, job, heard.phonemes, heard.record, began)

    def _told(self, _stage: str, _done: int, _most: int) -> None:
        self._watch()

    def _collect(self, open_rows: list[_Open]) -> Iterator[Entry]:
        """What the last step has finished, and what has failed."""
        failed: list[tuple[_Open, Exception]] = []
        for each in open_rows[:]:
            stream = each.stream
            try:
                while (wave := stream.poll()) is not None:
                    each.output.write(wave, stream.sample_rate)
            except Unwritable:
                raise
            except Exception as error:  # of whatever kind: it is this row's, or that of a step that several shared
                open_rows.remove(each)
                each.close()
                failed.append((each, error))
                continue
            if stream.finished:
                open_rows.remove(each)
                yield each.output.finish(stream.record, [part.codes for part in stream.parts])
        for each, cause in failed:
            if sum(other is cause for _, other in failed) > 1:
                self._again.append(each.job)
            else:
                yield failure(each.job, cause, each.began)
