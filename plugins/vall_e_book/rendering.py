"""The lines of a book as speech: rows of a batch, which makes each of them once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_batch import Batch, ManifestError, Report, Row, RowResult, Tally
from vall_e_core import UsageError
from vall_e_tts import SpeechOptions

from .planning import Line, PlannedChapter

if TYPE_CHECKING:
    from vall_e_core import Registry
    from vall_e_core.sampling.running import ChainRequest
    from vall_e_lm import ModelOptions
    from vall_e_tts import VallE

_SHOWN = 5
"""Paragraphs that a message names; the rest is counted."""


@dataclass(frozen=True)
class Narration:
    """How a book is spoken."""

    voice: str | None = None
    ref: tuple[Path, ...] = ()
    ref_text: str | None = None
    options: SpeechOptions = field(default_factory=SpeechOptions)
    chains: Mapping[str, ChainRequest] | None = None
    model: ModelOptions | None = None


@dataclass(frozen=True)
class Rendered:
    """The files of lines by id, and what became of each."""

    made: dict[str, Path]
    results: dict[str, RowResult]
    report: Report

    def failed(self, chapters: Sequence[PlannedChapter]) -> list[tuple[Line, str]]:
        """The lines that couldn't be made, and why."""
        found = []
        for chapter in chapters:
            for line in chapter.lines:
                result = self.results[line.id]
                if result.unmade:
                    found.append((line, (result.error or {}).get("message", "it failed")))
        return found


def prepare(
    chapters: Sequence[PlannedChapter], folder: Path, how: Narration, *, name: str, registry: Registry,
    engine: VallE | None = None, notify: Callable[[str], None] = lambda _: None,
) -> Batch:
    """The batch of a book: every line is checked, and no model is loaded.

    Args:
        chapters: the plan.
        folder: where lines are kept. What is there and unchanged isn't made again.
        how: voice, options and model.
        name: the book, for messages.
        registry: the plugins.
        engine: a model that is loaded already.
        notify: takes one-line notices.

    Raises UsageError that names the paragraphs which can't be spoken.
    """
    lines = [line for chapter in chapters for line in chapter.lines]
    rows = [
        Row(line.id, line.text, voice=line.voice, out=f"{line.id[:2]}/{line.id}.flac", line=at)
        for at, line in enumerate(lines)
    ]
    try:
        return Batch(
            rows, folder, voice=how.voice, ref=how.ref, ref_text=how.ref_text, options=how.options, chains=how.chains,
            format="flac", model=how.model, engine=engine, registry=registry, name=name, notify=notify,
        )  # fmt: skip
    except ManifestError as error:
        raise _explained(error, lines) from error


def render(
    batch: Batch, *, runner: str = "local", workers: int | None = None,
    told: Callable[[Tally, RowResult], None] | None = None, watch: Callable[[], object] = lambda: None,
) -> Rendered:
    """Make the lines that aren't there yet. What failed before is tried again. Raises as `Batch.run` does."""
    report = batch.run(runner=runner, workers=workers, retry_failed=True, told=told, watch=watch)
    results = {each.id: each for each in report.results}
    return Rendered({each.id: each.out for each in report.results if each.status == "done"}, results, report)


def _explained(error: ManifestError, lines: Sequence[Line]) -> UsageError:
    """Rows' errors with the paragraphs that they come from; equal ones once."""
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        where = "" if problem.line is None else lines[problem.line].where
        found.setdefault(problem.message, []).append(where)
    shown = []
    for message, places in list(found.items())[:_SHOWN]:
        count = f", and {len(places) - 1} more" if len(places) > 1 else ""
        shown.append(f"{places[0]}{count}: {message}" if places[0] and len(places) < len(lines) else message)
    more = f"; and {len(found) - _SHOWN} other errors" if len(found) > _SHOWN else ""
    return UsageError("the book can't be spoken", cause="; ".join(shown) + more)
