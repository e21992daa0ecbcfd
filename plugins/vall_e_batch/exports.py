"""Manifests of what a batch has made, in the forms of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vall_e_files import write_atomic

from .folder import read_own_record
from .jobs import Job
from .results import write_lines
from .rows import RowResult

Made = tuple[Job, RowResult, Mapping[str, Any]]
"""A row that is done, with its record."""


def write_exports(folder: Path, found: Sequence[tuple[Job, RowResult]], names: Sequence[str]) -> None:
    """Write manifests of rows that are done; `openai` also lists those that have failed. Raises InputError."""
    made = []
    if set(names) - {"openai"}:
        for job, result in found:
            record = read_own_record(result.out) if result.status == "done" else None
            if record is not None:
                made.append((job, result, record))
    for name in names:
        if name == "openai":
            write_lines(folder / "openai.jsonl", _openai(folder, found))
        else:
            EXPORTS[name](folder, made)


def _openai(folder: Path, found: Sequence[tuple[Job, RowResult]]) -> Iterator[dict[str, Any]]:
    """The output file of OpenAI's batches; the body names the file, since sound can't be in a line of JSON."""
    for job, result in found:
        if result.status == "left":
            continue
        line: dict[str, Any] = {
            "id": f"batch_req_{result.key[:24]}", "custom_id": job.row.id, "response": None, "error": None
        }
        if result.status == "done":
            body = {
                "file": result.out.relative_to(folder).as_posix(), "seconds": result.seconds, "sha256": result.sha256
            }
            line["response"] = {"status_code": 200, "request_id": result.key[:32], "body": body}
        else:
            error = dict(result.error or {})
            line["error"] = {"code": error.get("type"), "message": error.get("message")}
        yield line


def _ljspeech(folder: Path, made: Sequence[Made]) -> None:
    """`metadata.csv`: the file without its suffix, the text, and what was read aloud for it."""
    lines = []
    for job, _, record in made:
        cells = (job.out.rpartition(".")[0], job.row.text, record["spoken"])
        lines.append("|".join(" ".join(cell.replace("|", " ").split()) for cell in cells) + "\n")
    data = "".join(lines).encode("utf-8", "replace")
    write_atomic(folder / "metadata.csv", lambda file: file.write(data), overwrite=True)


def _nemo(folder: Path, made: Sequence[Made]) -> None:
    write_lines(folder / "nemo.jsonl", (
        {
            "audio_filepath": job.out, "duration": result.seconds, "text": job.row.text, "lang": record["language"],
            "speaker": job.voice,
        }
        for job, result, record in made
    ))  # fmt: skip


def _lhotse(folder: Path, made: Sequence[Made]) -> None:
    """`recordings.jsonl` and `supervisions.jsonl`."""
    write_lines(folder / "recordings.jsonl", (
        {
            "id": job.row.id, "sources": [{"type": "file", "channels": [0], "source": job.out}],
            "sampling_rate": record["output"]["sample_rate"], "num_samples": record["output"]["samples"],
            "duration": result.seconds, "channel_ids": [0],
        }
        for job, result, record in made
    ))  # fmt: skip
    write_lines(folder / "supervisions.jsonl", (
        {
            "id": job.row.id, "recording_id": job.row.id, "start": 0.0, "duration": result.seconds, "channel": 0,
            "text": job.row.text, "language": record["language"], "speaker": job.voice,
        }
        for job, result, record in made
    ))  # fmt: skip


EXPORTS: Mapping[str, Callable[[Path, Sequence[Made]], None]] = {
    "ljspeech": _ljspeech, "nemo": _nemo, "lhotse": _lhotse
}
