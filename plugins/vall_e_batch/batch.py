"""`Batch`: rows in, files out, from Python. The command `vall-e batch` is built on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vall_e_core import Registry, UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_files import write_json
from vall_e_lm import ModelOptions
from vall_e_stt import HearingOptions
from vall_e_tts import SpeechOptions, VallE

from .exports import write_exports
from .folder import Scan, alone_in, working_in
from .identity import Sources, identify
from .jobs import Job, Planner
from .journal import Journal
from .results import ABOUT, write_results
from .rows import Problem, Row, RowResult, Shard
from .runner import Assignment, Local, Runner, Workers, find_runner
from .running import Run, Tally, result_of
from .settling import NOT_HEARD, Defaults
from .verifying import Verified, verify_files


@dataclass(frozen=True)
class Report:
    """What a run has left: the results of its rows in their order, and how it went."""

    results: Sequence[RowResult]
    tally: Tally
    stopped: bool = False
    """Whether it ended early, after too many failures."""

    @property
    def failed(self) -> list[RowResult]:
        """Those that couldn't be made."""
        return [each for each in self.results if each.unmade]

    @property
    def flagged(self) -> list[RowResult]:
        """Those that were made, but may be wrong: a loop, a missing word, an end that was cut."""
        return [each for each in self.results if each.flagged]

    def summary(self) -> dict[str, Any]:
        """Figures for people and programs."""
        tally = self.tally
        return {
            "rows": tally.rows, "done": tally.done, "failed": tally.failed, "crashed": tally.crashed,
            "left": tally.left, "kept": tally.kept, "made": tally.done + tally.failed - tally.kept,
            "flagged": len(self.flagged),
            "verdicts": dict(sorted(tally.verdicts.items())), "seconds": round(sum(r.seconds for r in self.results), 3),
            "elapsed": round(tally.elapsed, 3), "speed": round(tally.speed, 3),
        }  # fmt: skip


class Batch:
    """Speech for many rows, as files in a folder. Running it again goes on where it was left.

        batch = Batch([Row("a", "Hello."), Row("b", "And goodbye.")], "out", voice="heart", seed=1)
        report = batch.run()
        print(report.results[0].out, report.results[0].seconds)

    A row is made anew only if something about it has changed that can be heard: its text, voice, settings or seed, or
    the model. The outputs have their records beside them, as those of `vall-e tts`.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        folder: Path | str,
        *,
        voice: str | None = None,
        ref: Sequence[Path | str] = (),
        ref_text: str | None = None,
        options: SpeechOptions | None = None,
        chains: Mapping[str, ChainRequest] | None = None,
        format: str = "wav",
        model: ModelOptions | None = None,
        engine: VallE | None = None,
        registry: Registry | None = None,
        hearing: HearingOptions | None = None,
        name: str = "the batch",
        problems: Iterable[Problem] = (),
        notify: Callable[[str], None] = lambda _line: None,
        **settings: Any,  # noqa: ANN401 - SpeechOptions' own fields
    ) -> None:
        """Check all rows; no model is loaded yet, but for one from a YAML file.

        Args:
            rows: what is to be made, in order.
            folder: where it goes; it is made when the batch runs.
            voice: for rows without a voice or a reference of their own.
            ref: recordings, instead of `voice`.
            ref_text: what these say.
            options: how rows are spoken, where they don't say it. Its seed, 0 if there is none, is the batch's: from
                it and a row's id comes the seed of a row without one.
            chains: the sampling chain of each stage, as `VallE.speak` takes them.
            format: of the files: wav, flac, ogg, opus, mp3, pcm_s16le, pcm_f32le, or codes.
            model: which model.
            engine: a model that is loaded already; `model` is then what it was loaded with.
            registry: the plugins to use, instead of those installed.
            hearing: the rows are recordings, and are transcribed in this way. Each has the phonemes in a text file.
            name: what error messages call the batch.
            problems: what was wrong with the manifest that the rows come from.
            notify: takes one-line notices.
            settings: fields of the options (`seed=1`), and flags of samplers (`top_p=0.9`).

        Raises:
            ManifestError: for rows that can't be made, all of them listed.
            UsageError, ModelError, InputError: for a model that can't be used.
        """
        from vall_e_lm import settle_keywords

        self.folder, self.rows, self.name = Path(folder), list(rows), name
        self.registry = engine.registry if engine is not None else registry or Registry.load()
        self.model = engine.options if engine is not None else model or ModelOptions()
        self._engine, self._notify = engine, notify
        chosen, own = settle_keywords(
            options or SpeechOptions(), settings, "Batch", self.registry, dict.fromkeys(("ar", "nar"))
        )
        self.defaults = Defaults(
            voice, tuple(map(Path, ref)), ref_text, chosen, {**(chains or {}), **own}, format, hearing
        )
        self._identity, self._engine = identify(self.registry, self.model, engine)
        planner = Planner(self.registry, self.defaults, self._identity, Sources(self.registry), self.folder)
        self.jobs: list[Job] = planner.plan(self.rows, name, problems)

    def run(
        self,
        *,
        shard: Shard | None = None,
        runner: Runner | str = Local.name,
        workers: int | None = None,
        restart: bool = False,
        retry_failed: bool = False,
        max_failures: int | None = None,
        export: Sequence[str] = (),
        told: Callable[[Tally, RowResult], None] | None = None,
        watch: Callable[[], object] = lambda: None,
    ) -> Report:
        """Make what isn't there yet.

        Args:
            shard: only the rows of this one. Several runs on one folder are fine if each has its own.
            runner: who makes the rows: `NAME[:VALUE|k=v,…]`, as `--runner` takes it.
            workers: how many models make rows, at most; locally, each but for a single one has a process of its own.
                None: one, and on a cluster as many as it has room for.
            restart: make all rows, whatever is there.
            retry_failed: try those again that have failed before.
            max_failures: stop after more failures than this.
            export: manifests to write of all that is done: ljspeech, nemo, lhotse, openai.
            told: called after every row with how far it is and what came of the row.
            watch: called between the model's steps; what it raises ends the run. The next run goes on.

        Returns:
            What has become of the rows of the shard, in order.

        Raises:
            InputError: where the folder can't be written, or another run writes the same shard.
            UsageError: for a file in the folder that isn't from a batch, or an unknown runner.
            ModelError, DeviceError: for a model that can't be loaded.
        """
        chosen = find_runner(self.registry, runner) if isinstance(runner, str) else runner
        jobs = [each for each in self.jobs if shard is None or each.row.id in shard]
        with working_in(self.folder, self.jobs), Journal(self.folder / f"journal.{_who(shard)}.jsonl") as journal:
            self._write_about()
            run = Run(
                self.folder, jobs, restart=restart, retry_failed=retry_failed, max_failures=max_failures, told=told
            )
            try:
                run.go(lambda count: self._workers(chosen, count, workers, watch), journal)
            finally:
                with suppress(OSError):
                    journal.sync()
            self._write_results(export)
        return Report([run.result(each) for each in jobs], run.tally, run.stopped)

    def _workers(self, runner: Runner, count: int, engines: int | None, watch: Callable[[], object]) -> Workers:
        return runner.workers(Assignment(
            self.folder, self.model, self.registry, self._identity, self.engine,
            rows=self.defaults.options.batch_size, count=count, engines=engines, watch=watch, notify=self._notify,
        ))  # fmt: skip

    def verify(
        self, *, shard: Shard | None = None, watch: Callable[[], object] = lambda: None
    ) -> Iterator[Verified]:
        """Listen to the files that are done, one after the other. What was heard before isn't heard again.

        Args:
            shard: only the rows of this one.
            watch: called now and then; what it raises ends it.

        Raises:
            UsageError: for rows without sound that can be read again.
            ModelError: for a model that can't transcribe.
            InputError: for a file that can't be read, or where nothing can be written.
        """
        self.require_sound()
        jobs = [each for each in self.jobs if shard is None or each.row.id in shard]
        scan = Scan(self.folder, jobs)
        known = [entry for job in jobs if (entry := scan.known(job)) is not None and entry.status == "done"]
        found = [result_of(self.folder, each, made=False) for each in known]
        return verify_files(self.engine(), self.folder, found, _who(shard), watch=watch)

    def require_sound(self) -> None:
        """That all files can be listened to. Raises UsageError."""
        for job in self.jobs:
            if job.hears or job.format in NOT_HEARD:
                what = "transcripts" if job.hears else f"{job.format} files"
                raise UsageError(f"{what} can't be verified: nobody can hear them", try_="--format wav")

    def engine(self) -> VallE:
        """The model, loaded when it is first asked for."""
        if self._engine is None:
            self._engine = VallE.load(options=self.model, registry=self.registry, notify=self._notify)
        return self._engine

    def _write_about(self) -> None:
        about = {"format": 1, "manifest": self.name, "rows": len(self.jobs)}
        write_json(self.folder / ABOUT, about, overwrite=True)

    def _write_results(self, export: Sequence[str]) -> None:
        """Those of all rows, of whichever run."""
        with alone_in(self.folder):
            scan = Scan(self.folder, self.jobs)
            found = []
            for job in self.jobs:
                entry = scan.known(job)
                left = RowResult(job.row.id, "left", job.key, self.folder / job.out, job.seed)
                found.append((job, left if entry is None else result_of(self.folder, entry, made=False)))
            write_results(self.folder, found)
            write_exports(self.folder, found, export)


def _who(shard: Shard | None) -> str:
    """What names the files of a run."""
    return "main" if shard is None else f"shard-{shard}"
