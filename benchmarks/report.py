"""The rows of a run: how they are collected, printed and written as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

FORMAT = 2
"""Of the JSON file; a change of the rows' meaning raises it."""


@dataclass(frozen=True)
class Row:
    """One figure. `key` is what a program looks for, `name` what a person reads."""

    part: str
    key: str
    name: str
    value: float | None
    """None: not available, and `note` says why."""
    unit: str
    note: str = ""
    least: float | None = None
    """What the project promises, where it promises anything."""
    most: float | None = None
    rounds: tuple[float, ...] = ()
    """The single rounds' figures, in their order, where `value` is their median."""

    @property
    def met(self) -> bool | None:
        """Is the promise kept? None where there is none, or nothing was measured (or of the quick shape)."""
        if self.value is None or (self.least is None and self.most is None):
            return None
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    def line(self) -> str:
        """The row as text."""
        shown = "n/a" if self.value is None else f"{self.value:.4g}"
        promise = f"at least {self.least:g}" if self.least is not None else ""
        promise = f"at most {self.most:g}" if self.most is not None else promise
        verdict = {True: ", kept", False: ", NOT KEPT", None: ""}[self.met]
        tail = "; ".join(part for part in (promise + verdict, self.note) if part)
        return f"  {self.name:<54} {shown:>9} {self.unit:<9} {tail}".rstrip()


@dataclass(frozen=True)
class Verdict:
    """What a run says of one of the project's goals."""

    key: str
    """Of the row that tells."""
    name: str
    goal: str
    aim: str
    value: float | None
    unit: str
    low: float | None
    """Of the rounds; None where there is no spread."""
    high: float | None
    runs: int
    status: str
    """`aim reached`, `kept`, `missed`, `aim missed` (where there is nothing else), or `not measured`."""
    note: str

    def line(self) -> str:
        """The verdict as text."""
        shown = "n/a" if self.value is None else f"{self.value:.4g} {self.unit}"
        spread = "" if self.low is None else f"{self.low:.3g} to {self.high:.3g} in {self.runs} runs"
        tail = "; ".join(part for part in (spread, self.note) if part)
        return f"  {self.name:<44} {self.goal:>14} {self.aim:>12} {shown:>16}  {self.status:<12} {tail}".rstrip()


@dataclass
class Report:
    """All rows of one run. `show` gets each line as soon as there is one."""

    machine: Mapping[str, object]
    settings: Mapping[str, object]
    show: Callable[[str], None] = print
    rows: list[Row] = field(default_factory=list)
    goals: list[Verdict] = field(default_factory=list)
    _part: str = ""

    def open(self) -> None:
        """Say where this is and what is measured."""
        for title, values in (("machine", self.machine), ("settings", self.settings)):
            self.show(title)
            for key, value in values.items():
                self.show(f"  {key}: {value}")

    def add(self, row: Row) -> None:
        """Take and show one row."""
        if row.part != self._part:
            self._part = row.part
            self.show(row.part)
        self.rows.append(row)
        self.show(row.line())

    def missing(self, part: str, key: str, name: str, reason: str) -> None:
        """A figure that there is none of."""
        self.add(Row(part, key, name, None, "", f"not available: {' '.join(reason.split())}"))

    def find(self, key: str) -> Row | None:
        """The row of that key."""
        return next((row for row in self.rows if row.key == key), None)

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        """Take and show what became of the project's goals."""
        self.goals = list(verdicts)
        self.show("goals")
        for each in verdicts:
            self.show(each.line())

    def to_json(self) -> dict[str, object]:
        """What `--json` writes."""
        return {
            "format": FORMAT,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "rows": [{**asdict(row), "met": row.met} for row in self.rows],
            "goals": [asdict(each) for each in self.goals],
        }

    def write(self, path: Path) -> None:
        """Write the JSON file."""
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
