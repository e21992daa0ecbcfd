"""Several takes of a part: how they differ, how scorers judge them, and which one is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from vall_e_core import BuildContext, ModelError, Scorer
from vall_e_lm import find_scorers

from .takes import BEST_FIRST, Take

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_audio import Wave
    from vall_e_core import FinishedTake, ScorerModel

    from ..valle import VallE


def identity(part: int, candidate: int) -> int | str:
    """What keys the noise of a candidate: the first has that of a run without candidates, each other its own."""
    return part if candidate == 0 else f"{part}/{candidate}"


@dataclass(frozen=True)
class Judge:
    """A scorer at work."""

    scorer: Scorer
    model: ScorerModel


@dataclass(frozen=True, eq=False)
class Spoken:
    """All levels of a take, codes [T, q], and what they sound like."""

    codes: Tensor
    wave: Wave


@dataclass(frozen=True)
class Candidate:
    """A take; `spoken` is None where there is no speech in it."""

    index: int
    take: Take
    spoken: Spoken | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    total: float = 0.0

    def record(self, kept: bool) -> dict[str, object]:
        """What the record keeps of it."""
        return {
            "candidate": self.index, "kept": kept, "score": self.total, "scores": dict(self.scores),
            "verdict": self.take.verdict, "stop_reason": self.take.stop_reason, "frames": len(self.take.codes),
            "seed": self.take.seed, "tries": self.take.tries, "log_probability": self.take.log_probability,
        }  # fmt: skip


def judges(engine: VallE, specs: Sequence[str], candidates: int) -> list[Judge]:
    """The scorers of a run: those named, else for several candidates all default ones that suit the model.

    Raises ModelError where one that was named can't judge what this model makes.
    """
    ctx = BuildContext(
        engine.device.name, engine.options.dtype, threads=engine.threads, notify=engine.notify,
        component=engine.registry.get, owner=engine.registry.owner, engine=engine, frame_rate=engine.codec.frame_rate,
    )  # fmt: skip
    named = find_scorers(engine.registry, specs)
    found = [Judge(each, each.build(ctx)) for each in named]
    if named or candidates == 1:
        return found
    for each in (kind() for kind in engine.registry.all(Scorer).values() if kind.default):
        try:
            found.append(Judge(each, each.build(ctx)))
        except ModelError:
            continue
    return found


@dataclass(frozen=True)
class Chosen:
    """The candidates of one part, and the place of the one that is kept."""

    candidates: Sequence[Candidate]
    place: int

    @property
    def take(self) -> Take:
        """That one's take."""
        return self.candidates[self.place].take

    @property
    def spoken(self) -> Spoken:
        """That one's codes and wave, both without length where there is no speech in any of them."""
        found = self.candidates[self.place].spoken
        return Spoken(torch.zeros(0, 1, dtype=torch.long), np.zeros(0, np.float32)) if found is None else found

    def record(self) -> list[dict[str, object]]:
        """All of them, for the record."""
        return [each.record(place == self.place) for place, each in enumerate(self.candidates)]


def choose_each(
    takes: Sequence[Take],
    spoken: Mapping[int, Spoken],
    judges: Sequence[Judge],
    describe: Callable[[int, Take, Spoken], FinishedTake],
    *,
    parts: int,
    warn: Callable[[str], None],
) -> list[Chosen]:
    """Judge the candidates of every part, which lie side by side in `takes`, and keep one of each.

    `spoken` holds what they sound like, by their place; `describe(part, …)` makes what a scorer is given.
    """
    found: list[list[Candidate]] = [[] for _ in range(parts)]
    for place, take in enumerate(takes):
        part, index = divmod(place, len(takes) // parts)
        sound = spoken.get(place)
        if sound is None or not judges:
            found[part].append(Candidate(index, take, sound))
        else:
            scores, total = scored(judges, describe(part, take, sound), warn)
            found[part].append(Candidate(index, take, sound, scores, total))
    return [choose(each) for each in found]


def choose(candidates: Sequence[Candidate]) -> Chosen:
    """Of those with the best verdict the one with the highest score, the first among equals."""
    places = range(len(candidates))
    order = [(BEST_FIRST.index(each.take.verdict), -each.total) for each in candidates]
    return Chosen(candidates, min(places, key=lambda place: (*order[place], place)))


def alike(chosen: Sequence[Chosen]) -> bool:
    """Whether there are several candidates of every part and nothing to choose between them."""
    return all(
        len(each.candidates) > 1
        and all(torch.equal(one.take.codes, each.candidates[0].take.codes) for one in each.candidates)
        for each in chosen
    )


def scored(
    judges: Sequence[Judge], take: FinishedTake, warn: Callable[[str], None]
) -> tuple[dict[str, float | None], float]:
    """Each scorer's verdict on a take by its name, and the weighted sum of those that could tell."""
    found: dict[str, float | None] = {}
    for each in judges:
        score = each.model.score(take)
        if score is not None and not math.isfinite(score):
            warn(f"the scorer {each.scorer.name} gave {score}, which is no score")
            score = None
        found[each.scorer.name] = None if score is None else round(float(score), 6)
    total = sum(each.scorer.weight * (found[each.scorer.name] or 0.0) for each in judges)
    return found, round(total, 6)
