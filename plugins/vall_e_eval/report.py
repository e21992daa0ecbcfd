"""A run's figures: as JSON, as Markdown, as a table for the terminal, and held against the bar and a baseline."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .judge import Figure
from .running import FORMAT
from .stats import DRAWS, SEED, Mean, Value, mean


@dataclass(frozen=True)
class Observation:
    """The figures of one item: by key a value, or a value and its weight in the mean."""

    group: str
    cluster: str
    figures: Mapping[str, float | tuple[float, float] | None]
    origin: str = ""
    """Of its reference: `voice`, `file` or `bent`."""


@dataclass(frozen=True)
class Table:
    """Further results, as rows of text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Goal:
    """A row of the bar that the embedded voice is held against."""

    title: str
    key: str
    at_least: float
    aim: float
    origin: str | None = None
    """Only items whose reference is of this origin count."""
    command: str | None = None
    group: str | None = None
    """Only items of this group count."""

    def counts(self, observation: Observation) -> bool:
        """Whether it counts for this row."""
        return self.origin in (None, observation.origin) and self.group in (None, observation.group)


GOALS = (
    Goal("codec round trip, closed set", "sentences.identified", 0.95, 0.99, command="eval codec", group="codec"),
    Goal("TTS, packaged voices, closed set", "sentences.identified", 0.85, 0.97, "voice", "eval tts"),
    Goal("TTS, bent voices, closed set", "sentences.identified", 0.70, 0.90, "bent", "eval tts"),
    Goal("voice ABX", "mfcc.abx", 0.90, 0.99, command="eval tts"),
    Goal("median F0 near the reference's", "pitch.near", 0.85, 0.98, command="eval tts"),
    Goal("cut endings", "speech.cut", 0.02, 0.005, command="eval tts"),
    Goal("loops", "speech.loop", 0.0, 0.0, command="eval tts"),
    Goal("STT phoneme error rate", "hearing.per", 0.08, 0.04, command="eval stt"),
    Goal("codec round trip, word error rate", "whisper.wer", 0.03, 0.02, command="eval codec", group="codec"),
    Goal("codec round trip, similarity", "speaker.own", 0.85, 0.90, command="eval codec", group="codec"),
    Goal("codec round trip, quality lost", "dnsmos.loss", 0.3, 0.15, command="eval codec", group="codec"),
    Goal("packaged voices, word error rate", "whisper.wer", 0.04, 0.02, "voice", "eval tts"),
    Goal("packaged voices, quality", "dnsmos.ovrl", 3.0, 3.2, "voice", "eval tts"),
    Goal("packaged voices, similarity", "speaker.own", 0.85, 0.88, "voice", "eval tts"),
    Goal("cloning people, word error rate", "whisper.wer", 0.15, 0.06, "file", "eval tts"),
    Goal("cloning people, similarity", "speaker.own", 0.60, 0.70, "file", "eval tts"),
    Goal("cloning synthetic speakers, word error rate", "whisper.wer", 0.08, 0.04, "file", "eval tts"),
    Goal("cloning synthetic speakers, similarity", "speaker.own", 0.75, 0.82, "file", "eval tts"),
    Goal("cloning synthetic speakers, nearest is its own", "speaker.nearest", 0.90, 0.98, "file", "eval tts"),
    Goal("real-time factor", "speech.rtf", 0.25, 0.15, command="eval tts"),
)
NOT_COMPARED = frozenset({"speech.rtf", "speech.cpu", "hearing.rtf", "hearing.cpu", "codec.rtf", "codec.cpu"})
"""Figures that depend on the machine's load: a baseline doesn't hold them."""


@dataclass
class Report:
    """Everything that came of a run."""

    command: str
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    judges: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Figure]
    observations: Sequence[Observation]
    items: Sequence[Mapping[str, Any]]
    total: bool = True
    """Whether a mean over all groups makes sense."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further results, as they are."""
    tables: Sequence[Table] = ()
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """File and caption."""

    def groups(self) -> list[str]:
        """In the order in which they came."""
        return list(dict.fromkeys(each.group for each in self.observations))

    def mean(self, key: str, keep: Callable[[Observation], bool] = lambda each: True) -> Mean | None:
        """The mean of a figure over some items."""
        values = []
        for each in self.observations:
            found = each.figures.get(key)
            if found is not None and keep(each):
                value, weight = found if isinstance(found, tuple) else (found, 1.0)
                values.append(Value(each.cluster, value, weight))
        return mean(values)

    def means(self) -> dict[str, dict[str, Mean]]:
        """By figure, then by group, `all` first; what wasn't measured is left out."""
        table: dict[str, dict[str, Mean]] = {}
        for key in self.figures:
            row = {"all": self.mean(key)} if self.total else {}
            for group in self.groups() if len(self.groups()) > 1 or not self.total else ():
                row[group] = self.mean(key, partial(_belongs, group))
            found = {group: value for group, value in row.items() if value is not None}
            if found:
                table[key] = found
        return table

    def bar(self) -> list[dict[str, Any]]:
        """The rows of the bar that this run measured."""
        rows = []
        for goal in GOALS:
            if goal.command != self.command or goal.key not in self.figures:
                continue
            found = self.mean(goal.key, goal.counts)
            if found is not None:
                upwards = self.figures[goal.key].better == "higher"
                met = found.mean >= goal.at_least if upwards else found.mean <= goal.at_least
                aimed = found.mean >= goal.aim if upwards else found.mean <= goal.aim
                rows.append({
                    "title": goal.title, "figure": goal.key, **found.record(), "at_least": goal.at_least,
                    "aim": goal.aim, "verdict": "aim" if aimed else "met" if met else "missed",
                })  # fmt: skip
        return rows

    def record(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {
            "format": FORMAT, "command": self.command, "settings": dict(self.settings),
            "environment": dict(self.environment), "judges": list(self.judges),
            "bootstrap": {"interval": 0.95, "draws": DRAWS, "seed": SEED},
            "figures": {
                key: {
                    "title": self.figures[key].title, "unit": self.figures[key].unit,
                    "better": self.figures[key].better, "means": {name: each.record() for name, each in row.items()},
                }
                for key, row in self.means().items()
            },
            "bar": self.bar(), **self.details, "items": list(self.items),
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }  # fmt: skip


def _belongs(group: str, observation: Observation) -> bool:
    return observation.group == group
