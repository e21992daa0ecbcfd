"""Part `startup`: how long the commands take that need no model, beside a Python that does nothing."""

from __future__ import annotations

import sys
from statistics import median

from .process import Spent, program, time_command
from .report import Report, Row
from .settings import Settings

PART = "startup"
MOST_FOR_HELP = 0.2
NAMES = {"help": "vall-e --help", "plugins": "vall-e plugins list", "python": "python -c pass"}


def run(settings: Settings, report: Report) -> None:
    """Rounds in which each command has a turn; the first one, which fills the file cache, doesn't count."""
    commands = {
        "help": [*program(), "--help"],
        "plugins": [*program(), "plugins", "list"],
        "python": [sys.executable, "-c", "pass"],
    }
    taken: dict[str, list[Spent]] = {key: [] for key in commands}
    for turn in range(2 * settings.runs + 1):
        for key, command in commands.items():
            spent = time_command(command)
            if turn:
                taken[key].append(spent)
    middle = {key: median(each.wall for each in spread) for key, spread in taken.items()}
    for key, spread in taken.items():
        walls = [each.wall for each in spread]
        cpu = median(each.cpu for each in spread)
        note = f"{min(walls):.3f} to {max(walls):.3f}; {cpu:.2f} s of the processor"
        most = MOST_FOR_HELP if key == "help" else None
        report.add(Row(PART, f"{PART}.{key}", NAMES[key], middle[key], "s", note, most=most))
    for key in ("help", "plugins"):
        ratio = middle[key] / middle["python"]
        report.add(Row(PART, f"{PART}.{key}_over_python", f"{NAMES[key]} / python -c pass", ratio, "x"))
