"""Level 0 of every part of a text: a take for each, judged, and taken again with other noise where it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .ladder import AS_ASKED
from .limits import SHORT_FACTOR
from .loops import find_loop

#: A result that stops within this is no speech at all.
EMPTY_SECONDS = 0.08
#: Less than this is short even for a single letter.
SHORTEST_SECONDS = 0.2

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


def best_takes(
    make: Callable[[Sequence[int], int, int], Sequence[Take]],
    wanted: Sequence[Wanted],
    frame_rate: float,
    *,
    seed: int,
    max_tries: int,
    listen: Callable[[Sequence[int], Sequence[Take]], Sequence[Take]] | None = None,
) -> list[Take]:
    """A take for every item, in order: the first good one, or the best of `max_tries`.

    Items are parts of a text, or several candidates of each part; none depends on the others. `make(items, attempt,
    seed)` makes takes for some items. What a retry only repeats (nothing is drawn) isn't tried again. An item without
    speech in any of its takes has the verdict `empty`. `listen(items, takes)` hands back takes that seem to be good,
    with the verdict `lost` and what is missing where it heard too little.
    """
    best: dict[int, Take] = {}
    seen: dict[int, list[Take]] = {item: [] for item in range(len(wanted))}
    pending = list(range(len(wanted)))
    for attempt in range(max_tries):
        if not pending:
            break
        takes = [
            _judged(made, wanted[part], frame_rate)
            for part, made in zip(pending, make(pending, attempt, retry_seed(seed, attempt)), strict=True)
        ]
        if listen is not None:
            good = [at for at, take in enumerate(takes) if take.verdict == "ok"]
            for at, take in zip(good, listen([pending[at] for at in good], [takes[at] for at in good]), strict=True):
                takes[at] = take
        again: list[int] = []
        for part, take in zip(pending, takes, strict=True):
            repeated = any(len(old.codes) > 0 and torch.equal(old.codes, take.codes) for old in seen[part])
            seen[part].append(replace(take, levels=None))
            if part not in best or _rank(take) < _rank(best[part]):
                best[part] = take
            settled = take.verdict == "ok" or (take.verdict == "length" and wanted[part].bounded_by_user)
            if not settled and not repeated:
                again.append(part)
        pending = again
    return [_with_history(best[part], seen[part]) for part in range(len(wanted))]


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
