"""The judges of a run, sitting together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from vall_e_core import BuildContext, Figure, Judge, Judged, ModelError, UsageError

if TYPE_CHECKING:
    from vall_e_core import JudgeModel, Registry


@dataclass(frozen=True)
class Heard:
    """All verdicts on one recording, by `judge.figure` or by judge."""

    figures: dict[str, float | None] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[float]] = field(default_factory=dict)

    def record(self) -> dict[str, object]:
        """As JSON holds it."""
        rounded = {key: None if value is None else round(value, 6) for key, value in self.figures.items()}
        return {"figures": rounded, "heard": self.said, "places": self.places}


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
        for each in judges:
            try:
                self.judges.append((each, each.build(context)))
            except ModelError as error:
                if named:
                    raise
                hint = "" if error.try_ is None else f" ({error.try_})"
                context.notify(f"left out: {error.message}{hint}")

    def __call__(self, given: Judged) -> Heard:
        """What they all say; those that need what isn't known are not asked."""
        known = {
            name
            for name, there in (
                ("text", given.text), ("reference", given.reference), ("original", given.original),
            )
            if there
        }  # fmt: skip
        heard = Heard()
        for judge, model in self.judges:
            if not judge.needs <= known:
                continue
            verdict = model.judge(given)
            for key, value in verdict.figures.items():
                heard.figures[f"{judge.name}.{key}"] = None if value is None else float(value)
            if verdict.heard is not None:
                heard.said[judge.name] = verdict.heard
            if verdict.voice is not None:
                heard.places[judge.name] = [float(each) for each in verdict.voice]
        return heard

    def nothing(self) -> Heard:
        """The verdict on an item that made no sound: every share of good recordings is 0, the rest isn't known."""
        return Heard({
            key: 0.0 if each.unit == "%" and each.better == "higher" else None for key, each in self.figures().items()
        })  # fmt: skip

    def figures(self) -> dict[str, Figure]:
        """What the judges' verdicts hold, by `judge.figure`."""
        return {f"{judge.name}.{key}": each for judge, _ in self.judges for key, each in judge.figures.items()}

    def records(self) -> list[dict[str, object]]:
        """Judges with their parameters and versions."""
        return [{"judge": judge.to_spec(), "versions": dict(model.versions)} for judge, model in self.judges]
