"""`vall-e batch status DIR`: how far a batch is, from its journals."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from vall_e_core import InputError, Session

from .folder import is_worked_in
from .journal import read_journals
from .results import ABOUT


def status_of(folder: Path) -> dict[str, Any]:
    """Figures about a folder. Raises InputError for one in which no batch has been run."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        rows = int(about["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"no batch was run in {folder}", try_="the DIR of vall-e batch MANIFEST -o DIR") from error
    last = {each.out: each for each in read_journals(folder)}
    done = [each for each in last.values() if each.status == "done"]
    failed, crashed = len(last) - len(done), sum(each.status == "crashed" for each in last.values())
    return {
        "manifest": about.get("manifest"), "rows": rows, "done": len(done), "failed": failed, "crashed": crashed,
        "left": max(0, rows - len(last)), "seconds": round(sum(each.seconds for each in done), 3),
        "verdicts": dict(sorted(Counter(each.verdict or "ok" for each in done).items())),
        "running": is_worked_in(folder),
    }  # fmt: skip


def show_status(folder: Path, session: Session) -> None:
    """Print them."""
    found = status_of(folder)
    words = [f"{found['done']} of {found['rows']} rows done"]
    words += [f"{found[name]} {name}" for name in ("failed", "crashed", "left") if found[name]]
    words += [f"{count} {name}" for name, count in found["verdicts"].items() if name != "ok"]
    words += [f"{found['seconds']:.1f} s of speech", "running" if found["running"] else "not running"]
    session.result(found, f"{folder}: {', '.join(words)}")
