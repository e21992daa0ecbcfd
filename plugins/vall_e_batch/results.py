"""What is left in the folder beside the outputs: the results of all rows in order, and the failures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vall_e_files import write_atomic

from .jobs import Job
from .rows import RowResult

RESULTS, FAILURES, ABOUT = "results.jsonl", "failures.jsonl", "batch.json"


def line_of(job: Job, result: RowResult, folder: Path) -> dict[str, Any]:
    """A row's line: nothing in it depends on when or where it was made."""
    found: dict[str, Any] = {
        "id": result.id, "status": result.status, "out": result.out.relative_to(folder).as_posix(),
        "text": job.row.text, "seed": job.seed, "key": result.key,
    }  # fmt: skip
    if job.hears:
        found |= {"text": job.row.text or None, "audio": str(job.row.audio), "phonemes": result.heard}
    if result.status == "done":
        found |= {
            "sha256": result.sha256, "seconds": result.seconds, "tries": result.tries, "verdict": result.verdict
        }
    if result.error is not None:
        found["error"] = dict(result.error)
    if job.row.meta is not None:
        found["meta"] = job.row.meta
    return found


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines, atomically. Raises InputError."""
    data = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in lines).encode("utf-8", "replace")
    write_atomic(path, lambda file: file.write(data), overwrite=True)


def write_results(folder: Path, found: Sequence[tuple[Job, RowResult]]) -> None:
    """`results.jsonl` and `failures.jsonl`. Raises InputError."""
    lines = [(result, line_of(job, result, folder)) for job, result in found]
    write_lines(folder / RESULTS, (line for _, line in lines))
    write_lines(folder / FAILURES, (line for result, line in lines if result.unmade))
