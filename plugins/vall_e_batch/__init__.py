"""The task `batch`: speech for the rows of a manifest, made once each, however often the run is interrupted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import Component, LazyTask, hookimpl, lazy_names

from .runner import Assignment, Local, Runner, Take, Workers

if TYPE_CHECKING:
    from .batch import Batch, Report
    from .far import FarRow, FarWorker
    from .jobs import Job
    from .journal import Entry
    from .manifest import Manifest, read_manifest
    from .progress import ShownTally
    from .rows import ManifestError, Problem, Row, RowResult, Shard
    from .running import Tally
    from .task import RunnerOptions
    from .verifying import Verified
    from .worker import RowWorker
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".batch": ("Batch", "Report"),
            ".far": ("FarRow", "FarWorker"),
            ".jobs": ("Job",),
            ".journal": ("Entry",),
            ".manifest": ("Manifest", "read_manifest"),
            ".progress": ("ShownTally",),
            ".rows": ("ManifestError", "Problem", "Row", "RowResult", "Shard"),
            ".running": ("Tally",),
            ".task": ("RunnerOptions",),
            ".verifying": ("Verified",),
            ".worker": ("RowWorker",),
        },
    )

requires = ("stt", "tts", "voices")


@hookimpl
def vall_e_tasks() -> Iterable[LazyTask]:
    return [
        LazyTask("batch", "Speak every row of MANIFEST into a file in DIR.", "vall_e_batch.task:BatchTask"),
    ]


@hookimpl
def vall_e_kinds() -> Iterable[type[Component]]:
    return [Runner]


@hookimpl
def vall_e_runners() -> Iterable[type[Runner]]:
    return [Local]


__all__ = [
    "Assignment",
    "Batch",
    "Entry",
    "FarRow",
    "FarWorker",
    "Job",
    "Local",
    "Manifest",
    "ManifestError",
    "Problem",
    "Report",
    "Row",
    "RowResult",
    "RowWorker",
    "Runner",
    "RunnerOptions",
    "Shard",
    "ShownTally",
    "Take",
    "Tally",
    "Verified",
    "Workers",
    "read_manifest",
]
