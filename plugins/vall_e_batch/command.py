"""`vall-e batch`: check the whole manifest, make what is missing, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import BatchError, DeviceError, Session, UsageError, suggestion
from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import ModelOptions
from vall_e_stt import HearingOptions
from vall_e_tts import SpeechOptions

from .batch import Batch, Report
from .exports import EXPORTS
from .manifest import read_folder, read_manifest
from .output import request_of
from .progress import ShownTally, clock
from .rows import Shard
from .runner import find_runner
from .status import show_status
from .verifying import Verified

if TYPE_CHECKING:
    from .task import BatchTask

STAGES = ("ar", "nar")


def run(task: BatchTask, session: Session) -> None:
    """One run. Raises BatchError where rows have failed, ManifestError where the manifest can't be made."""
    if task.words[:1] == ("status",) and len(task.words) == 2:
        show_status(Path(task.words[1]), session)
        return
    if len(task.words) != 1:
        what = "no manifest" if not task.words else f"too many arguments: {task.words[1]!r}"
        raise UsageError(what, try_="vall-e batch MANIFEST -o DIR, or vall-e batch status DIR")
    if task.output is None and not task.dry_run:
        raise UsageError("no folder to write to", try_=f"vall-e batch {task.words[0]} -o DIR")
    if task.voice is not None and task.ref:
        raise UsageError("--voice and --ref both give the reference", try_="leave one out")
    exports = exports_of(task)
    find_runner(session.registry, task.runner)
    shard = None if task.shard is None else Shard.parse(task.shard)
    batch, form = batch_of(task, session)
    if form == "openai":
        exports.append(form)
    if task.verify:
        batch.require_sound()
    if task.dry_run:
        tell_plan(batch, shard, session)
        return
    count = sum(1 for each in batch.jobs if shard is None or each.row.id in shard)
    with ShownTally(session, count) as shown:
        report = batch.run(
            shard=shard, runner=task.runner, workers=task.engine_workers, restart=task.restart,
            retry_failed=task.retry_failed,
            max_failures=0 if task.fail_fast else task.max_failures, export=exports,
            told=shown.told, watch=shown.watch,
        )  # fmt: skip
    lost = heard(batch, shard, session) if task.verify else []
    tell(report, task, session, batch.folder, lost)


def exports_of(task: BatchTask) -> list[str]:
    """The manifests that are to be written. Raises UsageError."""
    found = [name.strip() for each in task.export for name in each.split(",") if name.strip()]
    for name in found:
        if name not in EXPORTS:
            raise UsageError(f"--export doesn't know {name!r}", try_=suggestion(name, EXPORTS))
    if found and (task.task == "stt" or task.format == "codes"):
        raise UsageError("--export lists recordings, and none are made", try_="leave it out")
    return found


def batch_of(task: BatchTask, session: Session) -> tuple[Batch, str]:
    """The manifest's batch, checked, and the manifest's form."""
    path = Path(task.words[0]).expanduser()
    if task.task == "stt" and path.is_dir():
        manifest = read_folder(path)
    else:
        manifest = read_manifest(path, session.registry, form=task.manifest_format)
    if not manifest.rows and not manifest.problems:
        raise UsageError(f"there are no rows in {path}")
    chains, hearing = {}, None
    if task.task == "stt":
        hearing = HearingOptions(
            **{each.name: getattr(task, each.name) for each in HearingOptions.params() if hasattr(task, each.name)}
        )
    for stage in STAGES:
        given = {key: value for key, value in session.sampler_flags(stage).items() if session.given(key)}
        chains[stage] = ChainRequest(session.chain(stage), given)
    batch = Batch(
        manifest.rows, task.output or Path(), voice=task.voice,
        ref=[Path(each).expanduser() for each in task.ref], ref_text=task.ref_text,
        options=task.group(SpeechOptions), chains=chains, format=task.format, model=task.group(ModelOptions),
        hearing=hearing, registry=session.registry, name=str(path), problems=manifest.problems, notify=session.notice,
    )  # fmt: skip
    return batch, manifest.form


def tell_plan(batch: Batch, shard: Shard | None, session: Session) -> None:
    """What a run would make, without making it; the time is that of one row, which is spoken and thrown away."""
    jobs = [each for each in batch.jobs if shard is None or each.row.id in shard]
    if not jobs or jobs[0].hears:
        session.result({"rows": len(jobs)}, f"{len(jobs)} rows")
        return
    seconds = sum(each.expected for each in jobs)
    usual = sorted(jobs, key=lambda each: each.expected)[len(jobs) // 2]
    engine = batch.engine()
    began = time.monotonic()
    speech = engine.speak(
        request_of(usual), usual.speaking.chains, progress=lambda *_: session.console.interrupts.check()
    )
    rate = (time.monotonic() - began) / max(speech.seconds, 0.01)
    facts = {"rows": len(jobs), "expected_seconds": round(seconds, 1), "expected_time": round(seconds * rate, 1)}
    session.result(
        facts, f"{len(jobs)} rows, about {clock(seconds)} of speech, which take at most about {clock(seconds * rate)}"
    )



def heard(batch: Batch, shard: Shard | None, session: Session) -> list[Verified]:
    """Listen to all files that are done. Those in which words are missing."""
    lost = []
    with session.progress("listening", len(batch.jobs), "files") as bar:
        for count, each in enumerate(batch.verify(shard=shard, watch=session.console.interrupts.check), 1):
            lost += [each] if each.lost else []
            bar.to(count)
    return lost


def tell(report: Report, task: BatchTask, session: Session, folder: Path, lost: Sequence[Verified]) -> None:
    """The summary. Raises BatchError where rows have failed, or with --strict may be wrong."""
    summary = report.summary()
    if task.verify:
        summary["lost"] = len(lost)
    for each in report.failed[:10]:
        reason = dict(each.error or {})
        session.notice(f"{each.id}: {reason.get('message', '')}")
    for each in report.flagged[:10]:
        session.warn(f"{each.id}: {each.verdict} (see {each.out.name}.json)")
    for one in lost[:10]:
        session.warn(f"{one.id}: not heard: {' '.join(one.missing) or 'most of its sounds'}")
    words = [f"{summary['done']} of {summary['rows']} rows done", f"{summary['made']} in this run"]
    notable = ("failed", "crashed", "left", "flagged", "lost")
    words += [f"{summary[name]} {name}" for name in notable if summary.get(name)]
    if report.tally.seconds:
        words.append(f"{clock(report.tally.seconds)} of speech at {report.tally.speed:.1f} × real time")
    session.notice(f"{folder}: {', '.join(words)}")
    session.result(summary)
    hint = f"{folder}/failures.jsonl says why; --retry-failed tries them again"
    kinds = {(each.error or {}).get("type") for each in report.failed}
    if kinds == {DeviceError.__name__} and not summary["done"]:
        raise DeviceError(
            "no row fits into the memory", try_="--batch-size 1, --dtype bfloat16, or --device cpu"
        )
    if report.failed:
        what = f"{len(report.failed)} of {summary['rows']} rows failed"
        raise BatchError(f"{what}; stopped with {summary['left']} left" if report.stopped else what, try_=hint)
    doubtful = {each.id for each in report.flagged} | {each.id for each in lost}
    if task.strict and doubtful:
        raise BatchError(
            f"{len(doubtful)} of {summary['rows']} rows may be wrong", cause="--strict counts them as failures",
            try_="another --seed for these rows, or --max-tries 10",
        )  # fmt: skip
