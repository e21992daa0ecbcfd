"""The rows of a run: how they are collected, printed and written as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

FORMAT = 1
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


@dataclass
class Report:
    """All rows of one run. `show` gets each line as soon as there is one."""

    machine: Mapping[str, object]
    settings: Mapping[str, object]
    show: Callable[[str], None] = print
    rows: list[Row] = field(default_factory=list)
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

    def to_json(self) -> dict[str, object]:
        """What `--json` writes."""
        return {
            "format": FORMAT,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "rows": [{**asdict(row), "met": row.met} for row in self.rows],
        }

    def write(self, path: Path) -> None:
        """Write the JSON file."""
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
