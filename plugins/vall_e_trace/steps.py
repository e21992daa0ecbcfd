"""What a recorder fetched, as one step of one utterance after the other: the tokens that were meant, and no others.

Rows run on for a while after their end, and a search's rows change their parents. Here each row ends where it ended,
and of a search's hypotheses the one that won is followed back to its beginning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .values import TracedStage, TracedStep

if TYPE_CHECKING:
    from .recorder import Event

Place = tuple[str, int, int, int, int, int]
"""Stage, seed, utterance key, step, level, frame: what a step is known by."""


@dataclass
class _Run:
    """The events of one batch at one level, from its first step to its last."""

    events: list[Event] = field(default_factory=list)
    last: int = -1


def traced_steps(events: Sequence[Event], limits: Mapping[int, int] | None = None) -> list[TracedStep]:
    """Every step, in order of time within each sequence.

    Args:
        limits: the most steps of an utterance's sequence by its key; what its row did after that is left out, as is
            what it did after its stop token.
    """
    found: dict[Place, TracedStep] = {}
    for run in _runs(events):
        for step in _followed(run):
            place = (step.stage, step.seed, step.key, step.step, step.level, -1 if step.frame is None else step.frame)
            found[place] = step
    sequences: dict[tuple[str, int, int], list[TracedStep]] = {}
    for step in found.values():
        sequences.setdefault((step.stage, step.seed, step.key), []).append(step)
    stops = {(each.stage, each.level): each.stop_token for each in events}
    most = {} if limits is None else limits
    return [step for steps in sequences.values() for step in _ended(steps, stops, most)]


def _runs(events: Sequence[Event]) -> list[_Run]:
    """Batches follow each other, and a new one begins again at step 0."""
    open_runs: dict[tuple[str, int, int], _Run] = {}
    found: list[_Run] = []
    for event in events:
        which = (event.stage, event.seed, event.level)
        index = int(event.whole[0, 1]) if len(event.whole) else 0
        run = open_runs.get(which)
        if run is None or index <= run.last:
            run = open_runs[which] = _Run()
            found.append(run)
        run.events.append(event)
        run.last = index
    return found


def _followed(run: _Run) -> list[TracedStep]:
    """Of every utterance the row that won, from the end to the beginning; without a search there is but one row."""
    found: list[TracedStep] = []
    place: dict[int, int] = {}
    """Of each utterance met so far (from the end), the place of its row among its rows."""
    for event in reversed(run.events):
        whole: list[list[int]] = event.whole.tolist()
        values: list[list[float]] = event.values.tolist()
        if whole and whole[0][2] >= 0:  # rows are frames
            found += [_step(event, row, numbers) for row, numbers in zip(whole, values, strict=True)]
            continue
        first: dict[int, int] = {}
        for at, row in enumerate(whole):
            first.setdefault(row[0], at)
        for key, begin in first.items():
            at = begin + place.get(key, 0)
            found.append(_step(event, whole[at], values[at]))
            place[key] = whole[at][4] - begin
    return found


def _step(event: Event, whole: Sequence[int], values: Sequence[float]) -> TracedStep:
    from .recorder import COLUMNS

    key, index, frame, token, _ = whole
    stages = []
    for at, name in enumerate(event.names):
        kept, *rest = values[at * COLUMNS : (at + 1) * COLUMNS]
        entropy, kl, p_stop, p, rank = (_number(each) for each in rest)
        stages.append(TracedStage(name, int(kept), entropy, kl, p_stop, p, None if rank is None else int(rank)))
    numbers = map(_number, values[len(event.names) * COLUMNS :])
    details = {name: value for name, value in zip(event.detail_names, numbers, strict=True)}
    return TracedStep(
        event.stage, event.seed, key, index, event.level, None if frame < 0 else frame, token, tuple(stages), details
    )


def _number(value: float) -> float | None:
    """Six digits of it; None for what isn't a number or is infinite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _ended(
    steps: list[TracedStep], stops: Mapping[tuple[str, int], int | None], limits: Mapping[int, int]
) -> list[TracedStep]:
    """One sequence in order, without what came after its stop token or its limit."""
    ordered = sorted(steps, key=lambda each: (each.step, each.level, -1 if each.frame is None else each.frame))
    if ordered[0].frame is not None:
        return ordered
    stopped = [each.step for each in ordered if each.token == stops[each.stage, each.level]]
    last = min([limits.get(ordered[0].key, ordered[-1].step + 1) - 1, *stopped[:1]])
    return [each for each in ordered if each.step <= last]
