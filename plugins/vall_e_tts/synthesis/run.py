"""A plan being carried out: what its parts share, and what they have given so far."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from vall_e_audio import Wave, at_pitch
from vall_e_lm import Deadline, TimeLimitError, joins, require_finite

from .candidates import Chosen
from .traces import Traces

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain
    from vall_e_lm import Progress

    from .plan import SpeechPlan, Try


ENOUGH_SECONDS = 4.0
"""Of sound that nobody has taken out yet."""


class Clock:
    """Seconds spent in each stage of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count some more."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - began)


@dataclass(frozen=True, eq=False)
class Sound:
    """The next stretch of a part, `wave` [samples]; with the last one comes what was chosen for it."""

    wave: Wave
    chosen: Chosen | None = None


@dataclass(eq=False)
class SpeechRun:
    """One run of a plan. Parts are begun in order, and their sounds taken out in order."""

    plan: SpeechPlan
    clock: Clock
    progress: Progress | None = None
    traces: Traces | None = None
    patient: bool = False
    """Nobody listens before all of it is there, so that work is better gathered than done soon."""
    deadline: Deadline = field(default_factory=lambda: Deadline(None, "the speech"))
    """When all of it has to be made."""
    given: Tensor | None = None
    """Level 0 [T], where it is known already."""
    warnings: list[str] = field(default_factory=list)
    error: BaseException | None = None
    """What ended it."""
    begun: int = 0
    """Parts that have been begun."""
    heard: int = 0
    """Parts that have been taken out whole."""
    seconds: float = 0.0
    """Of sound that waits to be taken out."""
    sounded: float | None = None
    """When the first sound was taken out, by the clock; None before."""
    played: float = 0.0
    """Seconds of sound that have been taken out."""
    steps: int = 0
    """Of the shared loop, so far."""

    def __post_init__(self) -> None:
        plan = self.plan
        self.warnings[:0] = plan.warnings
        self._sounds: dict[int, deque[Sound]] = {}
        self._chains = {each.name: self._watched(each) for each in plan.tries}
        plain = plan.joins and self.traces is None
        self._joining = {name: plain and not chain.needs and joins(chain) for name, chain in self._chains.items()}
        self.levels = plan.levels
        if self.traces is not None:
            self.levels = plan.levels.watched(self.traces.recorder("further levels", plan.chains["nar"]))

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.error is not None or self.heard == len(self.plan.parts)

    @property
    def dry(self) -> float:
        """When a listener who plays it as it comes has nothing left, by the clock; at once before the first sound."""
        return 0.0 if self.sounded is None else self.sounded + self.played + self.seconds

    @property
    def most_steps(self) -> int:
        """Steps that level 0 can take if every take is good: the longest part and an equal share of the others."""
        limits = sorted((each.limit for each in self.plan.wanted), reverse=True)
        rows = max(1, self.plan.passes.batch_size // self.plan.passes.candidates)
        return limits[0] + -(-sum(limits[rows:]) // rows)

    def late(self) -> TimeLimitError | None:
        """What says that the time which it may take is over, or None."""
        return self.deadline.error(f"{self.heard} of {len(self.plan.parts)} parts were done")

    def chain(self, attempt: int) -> tuple[str, Chain]:
        """The chain of an attempt at level 0, counted from 0, and its name."""
        name = self.plan.try_of(attempt).name
        return name, self._chains[name]

    def joins(self, attempt: int) -> bool:
        """Whether rows of an attempt at level 0 may share steps with others, coming and going as they like."""
        return self._joining[self.plan.try_of(attempt).name]

    def put(self, part: int, sound: Sound) -> None:
        """A part has got so much further."""
        self._sounds.setdefault(part, deque()).append(sound)
        self.seconds += len(sound.wave) / self.plan.codec.sample_rate

    def has_enough(self, part: int) -> bool:
        """Whether so much waits to be taken out that a part's next sound can wait, though its level 0 goes on.

        What lies behind the part that is taken out next doesn't count for that one: nobody can take it yet.
        """
        if part != self.heard:
            return self.seconds >= ENOUGH_SECONDS
        ready = sum(len(each.wave) for each in self._sounds.get(part, ()))
        return ready >= ENOUGH_SECONDS * self.plan.codec.sample_rate

    def take(self) -> Sound | None:
        """The next sound in the order of the text, if it is there. Raises what ended the run."""
        if self.error is not None:
            raise self.error
        waiting = self._sounds.get(self.heard)
        if not waiting:
            return None
        sound = waiting.popleft()
        seconds = len(sound.wave) / self.plan.codec.sample_rate
        self.seconds, self.played = self.seconds - seconds, self.played + seconds
        if self.sounded is None and seconds:
            self.sounded = time.monotonic()
        if sound.chosen is not None:
            del self._sounds[self.heard]
            self.heard += 1
        return sound

    def decode(self, codes: Tensor) -> Wave:
        """The sound of a whole take's codes [T, q], with `follow_pitch` at the reference's pitch."""
        codec = self.plan.codec
        decoded = codec.decode(codes.long())
        wave: Wave = require_finite(decoded.float().reshape(-1), "codec").cpu().numpy().astype(np.float32)
        if self.plan.pitch is not None:
            wave, _ = at_pitch(wave, codec.sample_rate, self.plan.pitch)
        return wave

    def _watched(self, each: Try) -> Chain:
        if self.traces is None:
            return each.chain
        return each.chain.watched(self.traces.recorder("level 0", each.plan))
