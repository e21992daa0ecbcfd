"""What is left of a book: one file with chapters or a file for each, subtitles, and the report."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vall_e_audio import SYNTHETIC, AudioWriter
from vall_e_files import open_output, write_atomic, write_json

from .contents import Book
from .cues import as_json, as_srt, as_vtt
from .folder import safe_name
from .media import FORMS, Advance, encode_book
from .planning import PlannedChapter
from .rendering import Rendered
from .tags import Tags
from .timeline import Mark, Timeline

if TYPE_CHECKING:
    from vall_e_batch import Verified

SUBTITLES = ("srt", "vtt", "json")
CHAPTERS = "chapters.json"


def write_one(
    path: Path, timeline: Timeline, tags: Tags, *, by: str, bits: int | None, overwrite: bool, advance: Advance
) -> None:
    """One file with chapters. It appears when it is complete. Arguments and errors are those of `encode_book`."""
    with open_output(path, overwrite=overwrite) as out:
        form = FORMS[path.suffix.lower()]
        encode_book(out.written, form, timeline, tags, by=by, bits=bits, advance=advance)
        out.commit()


def write_parts(
    folder: Path, timeline: Timeline, tags: Tags, *, format: str, overwrite: bool, advance: Advance
) -> list[Path]:
    """A file for each chapter, and `chapters.json` with their places. Raises as `open_output` does."""
    width = max(2, len(str(max(each.number for each in timeline.marks))))
    names = [f"{each.number:0{width}} {safe_name(each.title)}.{format}" for each in timeline.marks]
    files = []
    for name, mark in zip(names, timeline.marks, strict=True):
        with open_output(folder / name, overwrite=overwrite) as out:
            _encode(out.file, mark, timeline.rate, format)
            out.commit()
        files.append(folder / name)
        advance(mark.end / timeline.rate)
    places = [_place(mark, timeline.rate) for mark in timeline.marks]
    listed = [{**place, "file": name} for place, name in zip(places, names, strict=True)]
    facts = {"format": 1, **tags.plain(), "sample_rate": timeline.rate, "chapters": listed}
    write_json(folder / CHAPTERS, facts, overwrite=overwrite)
    return [*files, folder / CHAPTERS]


def _encode(file: BinaryIO, mark: Mark, rate: int, format: str) -> None:
    with AudioWriter(file, rate, format=format, comment=SYNTHETIC) as writer:
        for block in mark.blocks(rate):
            writer.write(block)


def write_subtitles(path: Path, timeline: Timeline, kind: str, *, overwrite: bool) -> None:
    """Subtitles of one kind. Raises as `open_output` does."""
    pieces: Iterable[str]
    if kind == "json":
        lines = (json.dumps(each, ensure_ascii=False) for each in as_json(timeline.cues, timeline.rate))
        head = {"format": 1, "sample_rate": timeline.rate, "words": "estimated"}
        pieces = _array(json.dumps(head)[:-1] + ', "cues": [\n', lines, "\n]}\n")
    else:
        pieces = (as_srt if kind == "srt" else as_vtt)(timeline.cues, timeline.rate)

    def write(file: BinaryIO) -> None:
        for piece in pieces:
            file.write(piece.encode("utf-8", "replace"))

    write_atomic(path, write, overwrite=overwrite)


def _array(head: str, items: Iterable[str], tail: str) -> Iterable[str]:
    yield head
    for at, each in enumerate(items):
        yield f",\n{each}" if at else each
    yield tail


def report(
    book: Book, chapters: Sequence[PlannedChapter], rendered: Rendered, timeline: Timeline, *, files: Sequence[Path],
    summary: dict[str, Any], narrator: str, lost: Mapping[str, Verified],
) -> dict[str, Any]:
    """Everything about a finished book: where its chapters are, what is left out, and each sentence's verdict.

    `lost` are lines in which words are missing, by id.
    """
    lines = [line for chapter in chapters for line in chapter.lines]
    return {
        "format": 1, "title": book.title, "author": book.author, "language": book.language, "narrator": narrator,
        "files": [str(each) for each in files], "sample_rate": timeline.rate, "samples": timeline.samples,
        "duration": round(timeline.seconds, 3), "rows": summary,
        "chapters": [_place(each, timeline.rate) for each in timeline.marks],
        "left_out": [{"what": each.what, "count": each.count, "example": each.example} for each in book.left_out],
        "failed": [
            {"where": line.where, "text": line.text, "error": message} for line, message in rendered.failed(chapters)
        ],
        "lost": [
            {"where": line.where, "text": line.text, "missing": list(lost[line.id].missing)}
            for line in lines
            if line.id in lost
        ],
        "sentences": [
            {
                "chapter": cue.chapter, "start": round(cue.start / timeline.rate, 4),
                "end": round(cue.end / timeline.rate, 4), "verdict": cue.verdict, "text": cue.text, "line": cue.line,
            }
            for cue in timeline.cues
        ],
    }  # fmt: skip


def _place(mark: Mark, rate: int) -> dict[str, Any]:
    return {
        "number": mark.number, "title": mark.title, "first_sample": mark.start, "samples": mark.end - mark.start,
        "start": round(mark.start / rate, 4), "end": round(mark.end / rate, 4),
    }  # fmt: skip
