"""`vall-e book`: read, list, export, or speak and write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_batch import ShownTally
from vall_e_core import BatchError, Session, UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_files import write_json
from vall_e_lm import ModelOptions
from vall_e_text import language_base
from vall_e_tts import SpeechOptions

from .choosing import Numbered, chosen, with_voices, without
from .contents import Book
from .folder import read_cover, write_folder
from .listing import listing, shown
from .places import Places, check_places, subtitle_kinds
from .planning import Pauses, PlannedChapter, plan_book, preview
from .reading import read_book
from .rendering import Narration, Rendered, prepare, render
from .tags import Tags
from .timeline import Timeline, general_warnings, lay_out
from .writing import report, write_one, write_parts, write_subtitles

if TYPE_CHECKING:
    from vall_e_batch import Batch, RowResult, Tally, Verified

    from .task import Audiobook

_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*(s|min|m)?")
_SHOWN = 10


def run(task: Audiobook, session: Session) -> None:
    """One run. The book is read, and everything that can be checked is checked, before a model is loaded."""
    if session.given("markup"):
        raise UsageError("a book's markup is known from the file", try_="leave out --markup")
    book = without(read_book(task.file, notes=task.notes), task.skip)
    book = _with_facts(with_voices(book, task.chapter_voice), task)
    chapters = chosen(book, task.chapters)
    facts = listing(book, chapters)
    if task.list:
        session.result(facts, shown(facts))
    elif task.export_text is not None:
        book = replace(book, chapters=tuple(each for _, each in chapters))
        files = write_folder(book, task.export_text, overwrite=task.overwrite)
        session.result({**facts, "files": [str(each) for each in files]}, f"{task.export_text}: {len(files)} files")
    elif task.output is None:
        raise UsageError("no file to write", try_="-o OUT.m4b, --list, or --export-text DIR")
    else:
        _make(task, session, book, chapters, task.output)


def _with_facts(book: Book, task: Audiobook) -> Book:
    cover = book.cover if task.cover is None else read_cover(task.cover)
    return replace(book, title=task.title or book.title, author=task.author or book.author, cover=cover)


def _make(task: Audiobook, session: Session, book: Book, chapters: Sequence[Numbered], output: Path) -> None:
    pauses = Pauses(task.paragraph_pause, task.section_pause, task.chapter_pause)
    seconds = None if task.preview is None else _seconds(task.preview)
    planned = plan_book(chapters, pauses=pauses, quote_voice=task.quote_voice)
    if seconds is not None:
        planned = preview(planned, seconds)
    kinds = subtitle_kinds(task.subtitles)
    if (task.voice is None) == (not task.ref):
        both = task.voice is not None
        raise UsageError(
            "--voice and --ref both say who reads" if both else "nobody reads the book",
            try_="leave one out" if both else "--voice NAME (vall-e voices list), or --ref FILE",
        )
    places = check_places(output, source=task.file, subtitles=kinds, work=task.work, overwrite=task.overwrite)
    batch = prepare(
        planned, places.work, _narration(task, session, book), name=book.title, registry=session.registry,
        notify=session.notice,
    )  # fmt: skip
    for each in book.left_out:
        session.detail(f"left out: {each.count} × {each.what}")
    with _Spoken(session, len(batch.rows)) as bar:
        rendered = render(
            batch, runner=task.runner, workers=task.engine_workers, told=bar.told, watch=bar.watch
        )
    failed = rendered.failed(planned)
    for line, message in failed[:_SHOWN]:
        session.warn(f"{line.where}: {message}")
    if failed and not (task.skip_failed and rendered.made):
        raise BatchError(
            f"{len(failed)} of {len(batch.rows)} paragraphs couldn't be spoken; the book isn't written",
            try_="edit them (--export-text DIR), or --skip-failed",
        )  # fmt: skip
    lost = _lost(session, batch) if task.verify else {}
    timeline = lay_out(planned, rendered.made)
    files = _write(task, session, book, timeline, places)
    _tell(task, session, book, planned, batch, rendered, timeline, places, files, lost)


def _lost(session: Session, batch: Batch) -> dict[str, Verified]:
    """The paragraphs in which words are missing, by the ids of their lines."""
    found: dict[str, Verified] = {}
    with session.progress("listening", len(batch.rows), "paragraphs") as bar:
        for count, each in enumerate(batch.verify(watch=session.console.interrupts.check), 1):
            found |= {each.id: each} if each.lost else {}
            bar.to(count)
    return found


def _narration(task: Audiobook, session: Session, book: Book) -> Narration:
    options = replace(task.group(SpeechOptions), markup="text")
    if book.language and not session.given("language"):
        options = replace(options, language=language_base(book.language))
    chains = {}
    for stage in task.sampler_stages:
        given = {key: value for key, value in session.sampler_flags(stage).items() if session.given(key)}
        chains[stage] = ChainRequest(session.chain(stage), given)
    ref = tuple(Path(each).expanduser() for each in task.ref)
    return Narration(task.voice, ref, task.ref_text, options, chains, task.group(ModelOptions))


def _write(task: Audiobook, session: Session, book: Book, timeline: Timeline, places: Places) -> list[Path]:
    tags = Tags(book.title, book.author, task.narrator or task.voice or "", book.language, book.cover)
    files = [places.output]
    with session.progress("writing", round(timeline.seconds), "s") as bar:
        if places.encoder:
            bits = None if task.bit_rate is None else task.bit_rate * 1000
            write_one(
                places.output, timeline, tags, by=places.encoder, bits=bits, overwrite=task.overwrite, advance=bar.to
            )
        else:
            files = write_parts(
                places.output, timeline, tags, format=task.format, overwrite=task.overwrite, advance=bar.to
            )
    for kind, path in places.subtitles:
        write_subtitles(path, timeline, kind, overwrite=task.overwrite)
        files.append(path)
    return files


def _tell(
    task: Audiobook, session: Session, book: Book, planned: Sequence[PlannedChapter], batch: Batch, rendered: Rendered,
    timeline: Timeline, places: Places, files: Sequence[Path], lost: Mapping[str, Verified],
) -> None:
    summary = rendered.report.summary()
    told = report(
        book, planned, rendered, timeline, files=files, summary=summary,
        narrator=task.narrator or task.voice or "", lost=lost,
    )  # fmt: skip
    write_json(places.report, told, overwrite=task.overwrite)
    flagged = [each for each in told["sentences"] if each["verdict"] != "ok"]
    for each in flagged[:_SHOWN]:
        session.warn(f"chapter {each['chapter']}, {each['start']:.1f} s: {each['verdict']}: {each['text'][:60]}")
    for each in told["lost"][:_SHOWN]:
        session.warn(f"{each['where']}: not heard: {' '.join(each['missing']) or 'most of its sounds'}")
    length = f"{len(timeline.marks)} chapters, {timeline.seconds / 60:.1f} minutes"
    made = f"{summary['made']} of {summary['rows']} paragraphs spoken in this run"
    session.notice(f"{places.output}: {length}; {made}; report: {places.report}")
    short = {key: value for key, value in told.items() if key not in ("sentences", "left_out")}
    short["lost"] = len(lost)
    session.result({**short, "flagged": len(flagged), "report": str(places.report)})
    if told["failed"]:
        count = len(told["failed"])
        raise BatchError(f"{count} of {len(batch.rows)} paragraphs aren't in the book", try_=f"see {places.report}")
    if task.strict and (flagged or lost):
        what = f"{len(flagged)} sentences" if flagged else f"{len(lost)} paragraphs"
        raise BatchError(
            f"{what} may be wrong", cause="--strict counts them as failures",
            try_="another --seed, or --max-tries 10",
        )  # fmt: skip


def _seconds(text: str) -> float:
    match = _SECONDS.fullmatch(text.strip().lower())
    if match is None or float(match.group(1)) <= 0:
        raise UsageError(f"not a length: {text!r}", try_="--preview 30s")
    return float(match.group(1)) * (60 if match.group(2) in ("m", "min") else 1)


class _Spoken(ShownTally):
    """The progress bar of the paragraphs."""

    def __init__(self, session: Session, count: int) -> None:
        super().__init__(session, count, "paragraphs")
        self._session = session

    def told(self, tally: Tally, result: RowResult) -> None:
        """Another line is over. What was noticed about all of them is told once, not in the end."""
        if result.status == "done":
            for line in general_warnings(result.out):
                self._session.warn(line)
        super().told(tally, result)
