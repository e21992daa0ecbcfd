"""The worker: one engine that makes rows, several side by side. Threads, processes and actors use the same."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import InputError
from vall_e_files import OutputTarget, json_bytes, open_output, sha256_file, with_output
from vall_e_lm import ModelOptions
from vall_e_tts import Speakers, SpeechRequest, SpeechStream, VallE, open_speech

from .entries import entry_of, failure
from .jobs import Job
from .journal import Entry
from .settling import CODES

if TYPE_CHECKING:
    from vall_e_tts import SpeechWriter

AHEAD = 4
"""Rows that are begun before there is room for them: their listening and decoding fill the gaps."""

Take = Callable[[bool], Job | None]
"""Gives the next job. None: there is none now, or with True (wait for one) none will come."""


class Unwritable(InputError):
    """The folder can't be written any more: no other row can be either."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises Unwritable for what can't be written."""
    try:
        yield
    except Unwritable:
        raise
    except InputError as error:
        raise Unwritable(error.message, cause=error.cause, try_=error.try_) from error
    except OSError as error:
        raise Unwritable(
            f"can't write {path}", cause=error.strerror or str(error), try_="free some disk space; run again"
        ) from error


@dataclass(eq=False)
class _Open:
    """A row at the engine."""

    job: Job
    began: float
    alone: bool
    """Nothing else is made meanwhile."""
    stream: SpeechStream
    writer: SpeechWriter | None = None
    closing: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Let go of the stream and of what has been written, unless it is finished."""
        self.stream.close()
        self.closing.close()


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
        self._speakers = Speakers(engine.registry)
        self._model = _model_arguments(engine.options)
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
        """Begin rows as long as there is room. What can't begin is an entry at once."""
        while len(open_rows) < self.rows + AHEAD and not any(each.alone for each in open_rows):
            alone = bool(self._again)
            job = (None if open_rows else self._again.popleft()) if alone else take(not open_rows)
            if job is None:
                return
            began = time.monotonic()
            try:
                open_rows.append(self._begin(job, began, alone))
            except Exception as error:  # of whatever kind: it is this row's
                yield failure(job, error, began)

    def _begin(self, job: Job, began: float, alone: bool) -> _Open:
        request = request_of(job)
        prepared = self._speakers.prepare(request)
        arguments = {**self._model, **arguments_of(job), "markup": prepared.reading.markup}
        stream = self._scheduler.begin(
            prepared, job.manner.chains, patient=True, keep_parts=job.format == CODES, arguments=arguments
        )
        return _Open(job, began, alone, stream)

    def _collect(self, open_rows: list[_Open]) -> Iterator[Entry]:
        """What the last step has finished, and what has failed."""
        failed: list[tuple[_Open, Exception]] = []
        for each in open_rows[:]:
            try:
                self._drain(each)
            except Unwritable:
                raise
            except Exception as error:  # of whatever kind: it is this row's, or that of a step that several shared
                open_rows.remove(each)
                each.close()
                failed.append((each, error))
                continue
            if each.stream.finished:
                open_rows.remove(each)
                yield self._finish(each)
        for each, cause in failed:
            if sum(other is cause for _, other in failed) > 1:
                self._again.append(each.job)
            else:
                yield failure(each.job, cause, each.began)

    def _drain(self, row: _Open) -> None:
        while (wave := row.stream.poll()) is not None:
            if row.job.format == CODES:
                continue
            path = self.folder / row.job.out
            with writing(path):
                if row.writer is None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    target = OutputTarget(path, row.job.format, overwrite=True)
                    row.writer = row.closing.enter_context(open_speech(target, row.stream.sample_rate))
                row.writer.write(wave)

    def _finish(self, row: _Open) -> Entry:
        job, stream = row.job, row.stream
        record = {**stream.record, "batch": {"id": job.row.id, "key": job.key}}
        path = self.folder / job.out
        with writing(path):
            record = self._write_codes(row, record) if row.writer is None else row.writer.finish(record)
            row.closing.close()
        return entry_of(job, record, path.stat().st_size, time.monotonic() - row.began)

    def _write_codes(self, row: _Open, record: Mapping[str, Any]) -> dict[str, Any]:
        """The codes of all parts, one after the other, as an array [T, Q] of int16."""
        path = self.folder / row.job.out
        path.parent.mkdir(parents=True, exist_ok=True)
        codes = np.concatenate([each.codes.numpy() for each in row.stream.parts]).astype(np.int16)
        target = OutputTarget(path, CODES, overwrite=True)
        with open_output(path, overwrite=True) as out:
            np.save(out.file, codes, allow_pickle=False)
            out.finish()
            samples = round(record["duration"] * row.stream.sample_rate)
            found = with_output(record, target, row.stream.sample_rate, samples, sha256_file(out.written))
            out.commit(target.sidecar, json_bytes(found))
        return found


def _model_arguments(options: ModelOptions) -> dict[str, object]:
    """The model as flags, for `--from`: files by their absolute paths."""
    found: dict[str, object] = {}
    for each in ModelOptions.params():
        value = getattr(options, each.name)
        if value == each.default:
            continue
        if each.name in ("model", "yaml", "tokenizer") and Path(value).exists():
            value = str(Path(value).absolute())
        elif each.name == "lora":
            value = tuple(str(Path(path).absolute()) for path in value)
        found[each.key] = each.plain(value)
    return found


def request_of(job: Job) -> SpeechRequest:
    """What `vall-e tts` would be asked for."""
    options = replace(job.manner.options, seed=job.seed)
    return SpeechRequest(job.row.text, job.ref, job.voice, job.ref_text, options=options)


def arguments_of(job: Job) -> dict[str, object]:
    """A row as flags of `vall-e tts`, for `--from`."""
    found = {**job.manner.arguments(), "text": job.row.text.encode("utf-8", "ignore").decode("utf-8"), "seed": job.seed}
    found["ref"] = [str(each.absolute()) for each in job.ref]
    if job.voice is not None:
        found["voice"] = job.voice
    if job.ref_text is not None:
        found["ref-text"] = job.ref_text
    return found
