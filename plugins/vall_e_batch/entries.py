"""Lines of the journal, of what has been made and of what has failed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

from vall_e_core import DeviceError, VallEError
from vall_e_tts import EngineLostError

from .jobs import Job
from .journal import Entry

WORST_LAST = ("ok", "lost", "short", "length", "loop", "empty")


def entry_of(job: Job, record: Mapping[str, Any], size: int, spent: float) -> Entry:
    """The journal's line of a row that is done."""
    if job.hears:
        heard = record["phonemes"]
        seconds, tries, verdict = record["duration"], 1, "ok" if heard else "no speech"
    else:
        heard, seconds, tries = None, record["duration"], record["tries"]
        verdict = max((each["verdict"] for each in record["parts"]), key=WORST_LAST.index)
    return Entry(
        job.row.id, job.key, "done", job.out, job.seed, record["output"]["sha256"], size, seconds, round(spent, 3),
        tries, verdict, heard=heard, at=time.time(),
    )  # fmt: skip


def failure(job: Job, error: BaseException, began: float) -> Entry:
    """The journal's line of a row that has failed, or whose process has died."""
    status: Literal["failed", "crashed"] = "crashed" if isinstance(error, EngineLostError) else "failed"
    return Entry(
        job.row.id, job.key, status, job.out, job.seed, spent=round(time.monotonic() - began, 3),
        error=described(_named(error)), at=time.time(),
    )  # fmt: skip


def _named(error: BaseException) -> BaseException:
    """An error; where memory ran out, by whatever name, as one that says so."""
    said = str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in said:
        return DeviceError(
            "out of memory", cause=said.partition("\n")[0] or None, try_="--batch-size 1, or a shorter text"
        )
    return error


def described(error: BaseException) -> dict[str, str]:
    """An error as the journal keeps it."""
    text = error.message if isinstance(error, VallEError) else str(error)
    found = {"type": type(error).__name__, "message": text}
    for name in ("cause", "try_"):
        value = getattr(error, name, None)
        if isinstance(value, str):
            found[name.rstrip("_")] = value
    return found
