"""Part `batch`: what a manifest costs beside the speech, and what rows gain from sharing steps.

One process a file, and one call a row in a process, are how such batches are usually made; they are the baselines.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from unittest.mock import patch

import numpy as np

from vall_e_batch import Batch
from vall_e_batch import Row as Line
from vall_e_batch.folder import working_in
from vall_e_batch.journal import Entry, Journal
from vall_e_batch.output import RowOutput
from vall_e_batch.running import Run
from vall_e_batch.worker import Take
from vall_e_core import VallE, VallEError
from vall_e_tts import SpeechOptions, SpeechRequest

from .process import environment, program
from .report import Report, Row
from .settings import SENTENCES, Settings

PART = "batch"
VOICE = "heart"
WORKERS = 2


def run(settings: Settings, report: Report) -> None:
    """The bookkeeping of many rows, then rows that are really made."""
    try:
        engine = VallE.load(device="cpu", threads=settings.threads)
        with tempfile.TemporaryDirectory() as folder:
            _bookkeeping(engine, Path(folder), settings, report)
        with tempfile.TemporaryDirectory() as folder:
            _together(engine, Path(folder), settings, report)
    except (VallEError, OSError) as error:
        reason = error.render() if isinstance(error, VallEError) else str(error)
        report.missing(PART, f"{PART}.over_calls", "rows of a batch over one call each", reason)


def lines_of(count: int) -> list[Line]:
    """Rows with short texts, all different."""
    return [Line(f"row{at}", f"{SENTENCES[at % len(SENTENCES)]} {at}.") for at in range(count)]


class Instantly:
    """Workers that have made a row as soon as they are given it."""

    def work(self, take: Take) -> Iterator[Entry]:
        """Entries without files."""
        while (job := take(True)) is not None:
            yield Entry(job.row.id, job.key, "done", job.out, job.seed, "0" * 64, 2, 1.0, 0.1, 1, "ok", at=1.0)


def _bookkeeping(engine: VallE, folder: Path, settings: Settings, report: Report) -> None:
    """Checking, scanning and keeping the journal: the processor's time, since other programs run too."""
    count = 200 if settings.quick else 10_000
    rows = lines_of(count)
    Batch(rows[:1], folder / "x", voice=VOICE, engine=engine)
    before = resident()
    began = process_time()
    batch = Batch(rows, folder / "out", voice=VOICE, engine=engine)
    report.add(Row(PART, f"{PART}.check", f"checking {count} rows", process_time() - began, "s", most=1.0))
    with working_in(batch.folder, batch.jobs), Journal(batch.folder / "journal.main.jsonl") as journal:
        began = process_time()
        Run(batch.folder, batch.jobs).go(lambda _count: Instantly(), journal)
        kept = 1000 * (process_time() - began) / count
    grown = (resident() - before) / 2**20
    for job in batch.jobs:
        (batch.folder / job.out).write_bytes(b"xx")
        (batch.folder / f"{job.out}.json").write_bytes(b"{}")
    began = process_time()
    scanned = Run(batch.folder, batch.jobs)
    report.add(Row(
        PART, f"{PART}.scan", f"scanning a finished folder of {count} rows", process_time() - began, "s",
        f"{scanned.tally.done} found done", most=1.0,
    ))  # fmt: skip
    wave = np.zeros(16_000, np.float32)
    speech = engine.synthesize("One.", voice=VOICE, seed=1)

    def written(job_at: int) -> None:
        output = RowOutput(folder / "written", batch.jobs[job_at], {})
        output.write(wave, 16_000)
        output.finish({**speech.record, "markup": "text"}, [])

    some = range(min(count, 200))
    began, clock = process_time(), perf_counter()
    with patch("os.fsync"):
        for at in some:
            written(at)
    plain, quick = 1000 * (process_time() - began) / len(some), perf_counter() - clock
    clock = perf_counter()
    for at in some:
        written(at)
    waited = 1000 * (perf_counter() - clock - quick) / len(some)
    report.add(Row(
        PART, f"{PART}.row", "bookkeeping and writing of a row, without fsync", kept + plain, "ms",
        f"{kept:.2f} journal, {plain:.2f} files; fsync adds {waited:.2f}", most=3.0,
    ))  # fmt: skip
    report.add(Row(PART, f"{PART}.memory", f"memory for {count} rows", grown, "MiB", most=60.0))


def _together(engine: VallE, folder: Path, settings: Settings, report: Report) -> None:
    """Rows in a batch, in two processes, one call each, and one process each."""
    count = 2 if settings.quick else 64
    rows = lines_of(count)
    engine.synthesize("Ready.", voice=VOICE, seed=1)
    over_calls, calls, ready = [], [], engine.make_voice(_recording(engine))
    for round in range(min(settings.runs, 3)):
        began = perf_counter()
        for at, row in enumerate(rows):
            request = SpeechRequest(row.text, voice=VOICE, options=SpeechOptions(seed=at))
            spoken = engine.speak(request.prepare(engine.registry))  # the voice is read each time, as peers do it
            spoken.save(folder / "call.wav", overwrite=True)
        calls.append(perf_counter() - began)
        began = perf_counter()
        report_of = Batch(rows, folder / f"out{round}", voice=VOICE, engine=engine).run()
        assert not report_of.failed
        over_calls.append(calls[-1] / (perf_counter() - began))
    began = perf_counter()
    for at, row in enumerate(rows):
        engine.synthesize(row.text, voice=ready, seed=at)
    encoded = (perf_counter() - began) / (calls[-1] / over_calls[-1])
    report.add(Row(
        PART, f"{PART}.over_calls", f"{count} short rows in a batch over one call each", median(over_calls), "x",
        f"{encoded:.2f} over calls whose voice is encoded already", least=1.9, rounds=tuple(over_calls),
    ))  # fmt: skip
    one = two = 0.0
    for workers in (1, WORKERS):
        began = perf_counter()
        Batch(rows, folder / f"workers{workers}", voice=VOICE, engine=engine).run(workers=workers)
        one, two = (perf_counter() - began, two) if workers == 1 else (one, perf_counter() - began)
    report.add(Row(
        PART, f"{PART}.workers", f"{WORKERS} engine workers over one, the start included", one / two, "x", least=1.25
    ))  # fmt: skip
    began = perf_counter()
    command = [*program(), "tts", rows[0].text, "--voice", VOICE, "-o", str(folder / "process.wav")]
    subprocess.run(command, check=True, capture_output=True, env=environment(settings.threads))
    alone = perf_counter() - began
    report.add(Row(
        PART, f"{PART}.over_processes", "the same batch over one process a file", alone * count / one, "x",
        f"{alone:.1f} s a process",
    ))  # fmt: skip


def _recording(engine: VallE) -> Path:
    from vall_e_core import Voice

    voice = engine.registry.get(Voice.kind, VOICE)
    assert issubclass(voice, Voice)
    return voice().audio_path()


def resident() -> int:
    """Bytes of memory in use; where Linux' count is missing, the most that ever were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
