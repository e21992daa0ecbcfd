"""The end of every evaluation: the report is written, shown, and held against a baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .baseline import hold_against, parse_share, read_report
from .tables import markdown, text

if TYPE_CHECKING:
    from vall_e_core import Session

    from .report import Report
    from .store import Store
    from .tasks import Reporting


def read_baseline(task: Reporting, command: str) -> tuple[dict[str, Any] | None, float]:
    """The baseline, if one was given, and how much worse a figure may be. Raises UsageError, InputError."""
    allowed = parse_share(task.max_regress)
    return (None if task.baseline is None else read_report(task.baseline, command)), allowed


def finish(
    session: Session,
    task: Reporting,
    report: Report,
    store: Store,
    against: tuple[dict[str, Any] | None, float],
    draw: Callable[[], Iterable[tuple[str, str, bytes]]],
) -> None:
    """Write, show, compare; `draw` gives file, caption and PNG of each picture. Raises RegressionError."""
    if store.folder is not None and not task.no_pictures:
        for name, caption, picture in draw():
            store.write(name, picture)
            report.pictures.append((name, caption))
    record = report.record()
    store.write("report.json", (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode())
    store.write("report.md", markdown(report).encode())
    session.result(record, text(report))
    if store.folder is not None:
        session.notice(f"report: {store.folder / 'report.md'}")
    old, allowed = against
    if old is not None:
        for key in sorted({*old["settings"], *record["settings"]}):
            if old["settings"].get(key) != record["settings"].get(key):
                session.notice(f"note: the baseline was made with another {key}")
        hold_against(old, record, allowed)
