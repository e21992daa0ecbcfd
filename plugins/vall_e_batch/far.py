"""Rows that are made where the batch's folder isn't: the worker there, and what puts its rows into the folder here."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, ModelError
from vall_e_files import OutputTarget, json_bytes, open_output

from .entries import failure
from .folder import read_own_record
from .identity import Sources, identify
from .jobs import Job
from .journal import Entry
from .keys import Keys
from .output import arguments_of, writing
from .runner import Take
from .settling import facts_of
from .worker import RowWorker

if TYPE_CHECKING:
    from vall_e_tts import VallE


@dataclass(frozen=True)
class FarRow:
    """A row that is done or failed, on its way to the batch's folder."""

    entry: Entry
    data: bytes = b""
    """The file, where the row is done."""
    record: Mapping[str, Any] | None = None

    @classmethod
    def failed(cls, job: Job, error: BaseException, began: float) -> FarRow:
        """One that no engine could make. `began` is on the clock of `time.monotonic`."""
        return cls(failure(job, error, began))


class FarWorker:
    """As `RowWorker`, for an engine on another machine: files aren't written there, but handed over.

    Each machine has its own copy of the model and of the recordings. They are compared by hash: a row sounds the same
    wherever it is made, or isn't made.
    """

    def __init__(
        self, engine: VallE, identity: str, *, rows: int = 8, watch: Callable[[], object] = lambda: None
    ) -> None:
        """
        Args:
            engine: what speaks.
            identity: the batch's (`Assignment.identity`).
            rows: sentences that are written at the same time, at most.
            watch: called between steps; what it raises ends the work.

        Raises:
            ModelError: for another model, codec or version than the batch's.
        """
        self._engine, self._rows, self._watch = engine, rows, watch
        own, _ = identify(engine.registry, engine.options, engine)
        if own != identity:
            raise ModelError(
                f"{platform.node()} has another model than the batch",
                cause="the hashes of the model, its adapters, its codec or its tokenizer differ",
                try_="the same files and the same version of vall-e on each machine",
            )
        self._keys = Keys(own, Sources(engine.registry))
        self._facts: dict[str, str] = {}
        self.processor = _processor(str(engine.device))
        """What computes. Another kind may give other codes."""

    def work(self, take: Take) -> Iterator[FarRow]:
        """All jobs that `take` gives, as they are finished.

        Raises InputError for a job whose voice, recording or lexicon is another one here.
        """
        with TemporaryDirectory(prefix="vall-e-batch-") as name:
            folder = Path(name)
            worker = RowWorker(self._engine, folder, rows=self._rows, watch=self._watch)
            for entry in worker.work(lambda wait: self._checked(take(wait))):
                yield self._packed(folder, entry)

    def _checked(self, job: Job | None) -> Job | None:
        if job is None:
            return None
        known = job.manner.facts
        if known not in self._facts:
            self._facts[known] = known if job.hears else facts_of(job.speaking.options, job.speaking.chains)
        if self._facts[known] != known or self._keys.of(job) != job.key:
            raise InputError(
                f"{platform.node()} has other files than the batch: row {job.row.id}",
                cause="the voice, the recording or the lexicon differs",
                try_="the same files at the same paths on each machine",
            )
        return job

    def _packed(self, folder: Path, entry: Entry) -> FarRow:
        if entry.status != "done":
            return FarRow(entry)
        path = folder / entry.out
        record = read_own_record(path)
        assert record is not None
        record["batch"]["processor"] = self.processor
        found = FarRow(entry, path.read_bytes(), record)
        path.unlink()
        path.with_name(f"{path.name}.json").unlink()
        return found


def receive(folder: Path, job: Job, row: FarRow, model: Mapping[str, object]) -> Entry:
    """Write a row's files. `model` is it as flags. Raises Unwritable."""
    if row.record is not None:
        path = folder / job.out
        record = {**row.record, "output": {**row.record["output"], "path": str(path)}}
        if not job.hears:
            record["arguments"] = arguments_of(job, record, model)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            target = OutputTarget(path, job.format, overwrite=True)
            with open_output(path, overwrite=True) as out:
                out.file.write(row.data)
                out.commit(target.sidecar, json_bytes(record))
    return replace(row.entry, at=time.time())  # clocks of other machines may be off, and the journal goes by it


def _processor(device: str) -> str:
    """The kind of processor, as its maker calls it."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
