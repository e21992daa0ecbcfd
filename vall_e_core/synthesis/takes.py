"""Level 0 of every part of a text: a take for each, judged, and taken again with other noise where it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from .ladder import AS_ASKED
from .limits import SHORT_FACTOR
from .loops import find_loop

#: A result that stops within this is no speech at all.
EMPTY_SECONDS = 0.08
#: Less than this is short even for a single letter.
SHORTEST_SECONDS = 0.2

Verdict = Literal["ok", "short", "loop", "length", "empty"]
BEST_FIRST: tuple[Verdict, ...] = ("ok", "short", "length", "loop", "empty")


@dataclass(frozen=True)
class Wanted:
    """What one part is expected to become: its usual length and the bounds it is made under, in frames."""

    expected: float
    limit: int
    bounded_by_user: bool
    """The limit is below what the text usually takes: reaching it says nothing about the model."""


@dataclass(frozen=True)
class Take:
    """Level 0 of one part, `codes` [T] (of a model that makes all levels at once: all of them, [T, Q])."""

    codes: Tensor
    stop_reason: str
    """`stop` by the model itself, `length` at the bound, `predicted` where the length was known beforehand."""
    seed: int
    log_probability: float | None = None
    refined: str | None = None
    alternative_log_probability: float | None = None
    degenerate: int = 0
    """Steps at which the sampling chain left nothing to choose from and fell back."""
    tries: int = 1
    rung: str = AS_ASKED
    """Which chain of the ladder made it."""
    verdict: Verdict = "ok"
    findings: tuple[str, ...] = field(default=())


def judge(take: Take, wanted: Wanted, frame_rate: float) -> tuple[Verdict, tuple[str, ...]]:
    """How good a take is, and a sentence for each thing that is wrong with it."""
    frames = len(take.codes)
    seconds = frames / frame_rate
    if take.stop_reason == "stop" and seconds < EMPTY_SECONDS:
        return "empty", ("the model stopped at once",)
    loop = find_loop((take.codes if take.codes.dim() == 1 else take.codes[:, 0]).cpu().numpy(), frame_rate)
    if loop is not None:
        start, period = loop
        return "loop", (f"repeats itself from {start / frame_rate:.2f} s on, every {period} frames",)
    if take.stop_reason == "length":
        return "length", (f"didn't stop by itself and was ended at {seconds:.2f} s",)
    if frames < SHORT_FACTOR * wanted.expected or seconds < SHORTEST_SECONDS:
        usual = wanted.expected / frame_rate
        return "short", (f"is short for its text: {seconds:.2f} s where {usual:.1f} s are usual",)
    return "ok", ()


def retry_seed(seed: int, attempt: int) -> int:
    """The seed of the n-th attempt: the run's own for the first, then far apart ones that follow from it."""
    return (seed + attempt * 0x9E3779B97F4A7C15) % (1 << 63)


def best_takes(
    make: Callable[[Sequence[int], int, int], Sequence[Take]],
    wanted: Sequence[Wanted],
    frame_rate: float,
    *,
    seed: int,
    max_tries: int,
) -> list[Take]:
    """A take for every item, in order: the first good one, or the best of `max_tries`.

    Items are parts of a text, or several candidates of each part; none depends on the others. `make(items, attempt,
    seed)` makes takes for some items. What a retry only repeats (nothing is drawn) isn't tried again. An item without
    speech in any of its takes has the verdict `empty`.
    """
    best: dict[int, Take] = {}
    tries = dict.fromkeys(range(len(wanted)), 0)
    pending = list(range(len(wanted)))
    for attempt in range(max_tries):
        if not pending:
            break
        again: list[int] = []
        for part, made in zip(pending, make(pending, attempt, retry_seed(seed, attempt)), strict=True):
            tries[part] += 1
            verdict, findings = judge(made, wanted[part], frame_rate)
            take = replace(made, verdict=verdict, findings=findings)
            old = best.get(part)
            if old is None or BEST_FIRST.index(verdict) < BEST_FIRST.index(old.verdict):
                best[part] = take
            settled = verdict == "ok" or (verdict == "length" and wanted[part].bounded_by_user)
            repeated = old is not None and len(made.codes) > 0 and torch.equal(old.codes, made.codes)
            if not settled and not repeated:
                again.append(part)
        pending = again
    return [replace(best[part], tries=tries[part]) for part in range(len(wanted))]
