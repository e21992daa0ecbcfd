"""Level 0 of every part of a text: a take for each, judged, and taken again with other noise where it failed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .codes import find_loop
from .ladder import AS_ASKED
from .limits import SHORT_FACTOR

#: A result that stops within this is no speech at all.
EMPTY_SECONDS = 0.08
#: Less than this is short even for a single letter.
SHORTEST_SECONDS = 0.2

T = TypeVar("T")
Steps = Generator[Any, Any, T]
"""Work that stops wherever it has to wait, and says what for (see `work`); in the end it returns a T."""

Verdict = Literal["ok", "lost", "short", "loop", "length", "empty"]
BEST_FIRST: tuple[Verdict, ...] = ("ok", "lost", "short", "length", "loop", "empty")


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
    badness: float = 0.0
    """How much is wrong, among takes with one verdict: the share of the text that is missing, about."""
    levels: Tensor | None = None
    """All levels [T, Q], where they were made to listen to the take."""
    attempts: tuple[Mapping[str, object], ...] = ()
    """What became of every try, in order, where there were several."""

    def attempt(self) -> dict[str, object]:
        """What the record keeps of it as one try of several."""
        return {
            "rung": self.rung, "verdict": self.verdict, "frames": len(self.codes), "seed": self.seed,
            "findings": list(self.findings),
        }  # fmt: skip


def judge(take: Take, wanted: Wanted, frame_rate: float) -> tuple[Verdict, tuple[str, ...]]:
    """How good a take is, and a sentence for each thing that is wrong with it."""
    frames = len(take.codes)
    seconds = frames / frame_rate
    if take.stop_reason == "stop" and seconds < EMPTY_SECONDS:
        return "empty", ("the model stopped at once",)
    loop = find_loop(_level0(take), frame_rate)
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


def badness(take: Take, wanted: Wanted, frame_rate: float) -> float:
    """Which share of the text a take that isn't good misses, about: from its length, or from where it gets stuck."""
    good = len(take.codes)
    if take.verdict == "loop" and (found := find_loop(_level0(take), frame_rate)) is not None:
        good = found[0]
    return 0.0 if wanted.expected <= 0 else max(0.0, 1 - good / wanted.expected)


def best_take(
    make: Callable[[int, int], Steps[Take]],
    wanted: Wanted,
    frame_rate: float,
    *,
    seed: int,
    max_tries: int,
    listen: Callable[[Take], Steps[Take]] | None = None,
) -> Steps[Take]:
    """The first good take of an item, or the best of `max_tries`, as steps that say what they wait for.

    An item is a part of a text, or one of several candidates of it. What a retry only repeats (nothing is drawn) isn't
    tried again. An item without speech in any of its takes has the verdict `empty`.

    Args:
        make: makes the take of an attempt, counted from 0, with a seed.
        wanted: what the take is expected to become.
        frame_rate: frames a second.
        seed: the run's.
        max_tries: takes at most.
        listen: hands back a take that seems to be good, with the verdict `lost` and what is missing where it heard too
            little.
    """
    best: Take | None = None
    seen: list[Take] = []
    for attempt in range(max_tries):
        made = yield from make(attempt, retry_seed(seed, attempt))
        take = _judged(made, wanted, frame_rate)
        if listen is not None and take.verdict == "ok":
            take = yield from listen(take)
        repeated = any(len(old.codes) > 0 and torch.equal(old.codes, take.codes) for old in seen)
        seen.append(replace(take, levels=None))
        if best is None or _rank(take) < _rank(best):
            best = take
        if repeated or take.verdict == "ok" or (take.verdict == "length" and wanted.bounded_by_user):
            break
    assert best is not None
    return _with_history(best, seen)


def _with_history(best: Take, seen: Sequence[Take]) -> Take:
    attempts = tuple(each.attempt() for each in seen) if len(seen) > 1 else ()
    return replace(best, tries=len(seen), attempts=attempts)


def _rank(take: Take) -> tuple[int, float]:
    """The lower, the better."""
    return BEST_FIRST.index(take.verdict), take.badness


def _judged(made: Take, wanted: Wanted, frame_rate: float) -> Take:
    verdict, findings = judge(made, wanted, frame_rate)
    take = replace(made, verdict=verdict, findings=findings)
    return take if verdict == "ok" else replace(take, badness=badness(take, wanted, frame_rate))


def _level0(take: Take) -> NDArray[np.int64]:
    codes = take.codes if take.codes.dim() == 1 else take.codes[:, 0]
    found: NDArray[np.int64] = codes.cpu().numpy()
    return found
