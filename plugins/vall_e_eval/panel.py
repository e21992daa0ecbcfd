"""The judges of a run, sitting together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vall_e_core import BuildContext, ModelError, UsageError

from .judge import Figure, JointJudgeModel, Judge
from .judged import Judged, Recording

if TYPE_CHECKING:
    from vall_e_core import Registry

    from .judge import JudgeModel
    from .judged import Verdict

ENOUGH = 75.0
"""Seconds of sound of one group that are kept for judges that hear several recordings at once: three windows."""
NO_SOUND = Recording(np.zeros(0, np.float32), 16000)


@dataclass(frozen=True)
class Heard:
    """All verdicts on one recording, by `judge.figure` or by judge."""

    figures: dict[str, float | None] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[float]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def add(self, judge: Judge, verdict: Verdict) -> None:
        """One judge's verdict."""
        for key, value in verdict.figures.items():
            self.figures[f"{judge.name}.{key}"] = None if value is None else float(value)
        for key, weight in verdict.weights.items():
            self.weights[f"{judge.name}.{key}"] = float(weight)
        if verdict.heard is not None:
            self.said[judge.name] = verdict.heard
        if verdict.voice is not None:
            self.places[judge.name] = [float(each) for each in verdict.voice]

    def record(self) -> dict[str, object]:
        """As JSON holds it."""
        rounded = {key: None if value is None else round(value, 6) for key, value in self.figures.items()}
        return {"figures": rounded, "heard": self.said, "places": self.places, "weights": self.weights}


def weighted(record: Mapping[str, Any]) -> dict[str, float | tuple[float, float] | None]:
    """The figures of a record, with the weights of those that have one."""
    weights = record["weights"]
    return {
        key: (value, weights[key]) if value is not None and key in weights else value
        for key, value in record["figures"].items()
    }


def find_judges(
    registry: Registry, specs: Sequence[str], given: frozenset[str], *, places: bool = True
) -> tuple[list[Judge], bool]:
    """The judges that were named, or by default all that can use what is given; and whether they were named.

    Without `places`, those that have no figures of their own aren't among the default ones.
    Raises UsageError for an unknown one, one given twice, or one that needs what this evaluation doesn't have.
    """
    if not specs:
        known = registry.all(Judge).values()
        return [each() for each in known if each.default and each.needs <= given and (places or each.figures)], False
    found = []
    for spec in specs:
        name, _, values = spec.partition(":")
        found.append(cast(Judge, registry.get("judge", name.strip()).from_spec(values)))
    for each in found:
        if [other.name for other in found].count(each.name) > 1:
            raise UsageError(f"the judge {each.name} is given twice")
        if not each.needs <= given:
            lacking = ", ".join(sorted(each.needs - given))
            raise UsageError(f"the judge {each.name} can't judge here", cause=f"it needs: {lacking}")
    return found, True


class Panel:
    """Built judges."""

    def __init__(self, judges: Sequence[Judge], context: BuildContext, *, named: bool) -> None:
        """Raises ModelError for a judge that was named and doesn't work here; others are then left out."""
        self.judges: list[tuple[Judge, JudgeModel]] = []
        self._waiting: dict[str, list[tuple[Heard, Judged]]] = {}
        for each in judges:
            try:
                self.judges.append((each, each.build(context)))
            except ModelError as error:
                if named:
                    raise
                hint = "" if error.try_ is None else f" ({error.try_})"
                context.notify(f"left out: {error.message}{hint}")

    def __call__(self, given: Judged, group: str = "") -> Heard:
        """What they all say; those that need what isn't known are not asked.

        What joint judges say is added by `settle`. They hear recordings of one group together: of one voice, or one
        state of a codec, so that none profits from a better one beside it.
        """
        heard = Heard()
        waits = False
        for judge, model in self.judges:
            if not judge.needs <= _known(given):
                continue
            if judge.joint:
                waits = True
            else:
                heard.add(judge, model.judge(given))
        if waits:
            self._waiting.setdefault(group, []).append((heard, given))
        return heard

    @property
    def due(self) -> bool:
        """Whether nothing waits for joint judges, or enough of one group."""
        waiting = (sum(given.recording.seconds for _, given in each) for each in self._waiting.values())
        return not self._waiting or max(waiting) >= ENOUGH

    def settle(self) -> None:
        """Let the joint judges hear what waits for them."""
        waiting, self._waiting = self._waiting, {}
        for judge, model in self.judges:
            for group in waiting.values() if judge.joint else ():
                asked = [(heard, given) for heard, given in group if judge.needs <= _known(given)]
                verdicts = cast(JointJudgeModel, model).judge_all([given for _, given in asked])
                for (heard, _), verdict in zip(asked, verdicts, strict=True):
                    heard.add(judge, verdict)

    def nothing(self, text: str, language: str = "en") -> Heard:
        """The verdict on an item that made no sound: every share of good recordings is 0, the rest isn't known.

        Judges that hear silence say themselves what it is worth.
        """
        heard = Heard({
            key: 0.0 if each.unit == "%" and each.better == "higher" else None for key, each in self.figures().items()
        })  # fmt: skip
        for judge, model in self.judges:
            if judge.hears_silence:
                heard.add(judge, model.judge(Judged(NO_SOUND, text, language=language)))
        return heard

    def figures(self) -> dict[str, Figure]:
        """What the judges' verdicts hold, by `judge.figure`."""
        return {f"{judge.name}.{key}": each for judge, _ in self.judges for key, each in judge.figures.items()}

    def records(self) -> list[dict[str, object]]:
        """Judges with their parameters and versions."""
        return [{"judge": judge.to_spec(), "versions": dict(model.versions)} for judge, model in self.judges]


def _known(given: Judged) -> set[str]:
    """What `Judge.needs` may name, of what is given."""
    there = (("text", given.text), ("reference", given.reference), ("original", given.original))
    return {name for name, value in there if value}
