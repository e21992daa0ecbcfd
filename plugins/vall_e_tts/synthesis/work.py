"""What a part of a run waits for: level 0, further levels, listening, sound. Several that are alike are made together.

A part is a generator (see `whole` and `early`) that yields these one after the other and is sent what came of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from vall_e_lm import (
    ArPass,
    Demasking,
    Job,
    SharedLoop,
    Target,
    Written,
    continue_prompt,
    finite_states,
    generate_ar,
    generate_nar,
    generate_nar_len,
    in_batches,
    predict_length,
    speech_job,
    while_it_fits,
)
from vall_e_stt import hear_codes

from .listening import judged
from .passes import padded_length
from .takes import Steps, Take

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain
    from vall_e_lm import Utterance

    from .run import SpeechRun


class Work(ABC):
    """Something to be made for one run."""

    stage: ClassVar[str]
    """What its time counts as."""
    run: SpeechRun

    @property
    def together(self) -> Hashable:
        """Works with an equal value here, of one run, may be made together; None: always alone."""
        return None

    @abstractmethod
    def make(self, works: Sequence[Any]) -> list[Any]:
        """What comes of each of `works`, this one among them, in order."""


@dataclass(frozen=True, eq=False)
class Together:
    """Several items that go on side by side; what is sent back is the list of what they return."""

    items: Sequence[Steps[Any]]


@dataclass(frozen=True, eq=False)
class Level0(Work):
    """Level 0 of a part, or of one candidate of it -> a `Take`."""

    run: SpeechRun
    part: int
    candidate: int
    attempt: int
    seed: int

    stage = "level 0"

    @property
    def together(self) -> Hashable:
        """Equal for the same attempt."""
        return self.attempt, self.seed

    @property
    def chain(self) -> Chain:
        """What chooses."""
        return self.run.chain(self.attempt)[1]

    @property
    def utterance(self) -> Utterance:
        """What is said."""
        plan = self.run.plan
        found = plan.utterance(self.part, self.candidate, neutral=plan.try_of(self.attempt).neutral)
        return continue_prompt(found) if plan.passes.prefix else found

    def job(self) -> Job:
        """It as a row of the shared loop."""
        plan = self.run.plan
        device = next(plan.model.parameters()).device
        return speech_job(self.utterance, plan.wanted[self.part].limit, device, seed=self.seed)

    def take(self, written: Written) -> Take:
        """What the shared loop has written."""
        return Take(
            written.tokens, "stop" if written.stopped else "length", self.seed, written.log_probability,
            degenerate=written.degenerate, rung=self.run.chain(self.attempt)[0],
        )  # fmt: skip

    def make(self, works: Sequence[Level0]) -> list[Take]:
        """Those that can't join others: a closed batch, in which nothing but themselves takes the freed places."""
        plan = self.run.plan
        if plan.passes.modality == "ar":
            with finite_states(plan.model, "AR"):
                return while_it_fits(plan.passes.batch_size, lambda batch: self._step_by_step(works, batch))
        with finite_states(plan.model, "NAR-len"):
            made = in_batches(range(len(works)), plan.passes.batch_size, lambda some: self._at_once(works, some))
        rung = self.run.chain(self.attempt)[0]
        return [Take(codes, "predicted", self.seed, rung=rung) for codes in made]

    def _step_by_step(self, works: Sequence[Level0], batch: int) -> list[Take]:
        plan, passes = self.run.plan, self.run.plan.passes
        rung, chain = self.run.chain(self.attempt)
        how = ArPass(
            chain, self.seed, early_exit=passes.early_exit, refine_on_stop=passes.refine, guidance=passes.ar_guidance,
            frame_rate=plan.codec.frame_rate, progress=self.run.progress, batch_size=batch,
        )  # fmt: skip
        limits = [plan.wanted[each.part].limit for each in works]
        results = generate_ar(plan.model, [each.utterance for each in works], how, max_steps=limits)
        return [
            Take(
                each.codes, each.stop_reason, self.seed, each.log_probability, each.refined,
                each.alternative_log_probability, each.degenerate, rung=rung,
            )
            for each in results
        ]  # fmt: skip

    def _at_once(self, works: Sequence[Level0], some: Sequence[int]) -> list[Tensor]:
        plan, passes = self.run.plan, self.run.plan.passes
        mine = [works[i] for i in some]
        spoken, rate = [each.utterance for each in mine], plan.codec.frame_rate
        with finite_states(plan.model, "len"):
            predicted = predict_length(plan.model, spoken)
            lengths = [padded_length(n, plan.wanted[each.part], rate) for n, each in zip(predicted, mine, strict=True)]
        return generate_nar_len(
            plan.model, spoken, lengths, self.chain, seed=self.seed, demasking=Demasking(passes.steps),
            guidance=passes.demask_guidance, max_frames=None, frame_rate=rate, progress=self.run.progress,
        )  # fmt: skip


@dataclass(eq=False)
class Following:
    """A row of the shared loop whose tokens are handed on while they are written."""

    loop: SharedLoop
    number: int
    stop: Callable[[], None]
    """Ends it where it is."""
    sent: int = 0
    take: Take | None = None
    """What it has become, once it has ended."""

    def fresh(self) -> Tensor:
        """The tokens since the last time."""
        whole = self.loop.written(self.number) if self.take is None else self.take.codes
        new = whole[self.sent :]
        self.sent = len(whole)
        return new


@dataclass(frozen=True, eq=False)
class Follow:
    """Level 0 of a part as it is written -> a `Following`, as soon as the row has begun."""

    level0: Level0


@dataclass(frozen=True, eq=False)
class More:
    """The next tokens of a row that is followed -> the tokens [t]; none where it has ended."""

    following: Following = field(repr=False)
    every: int
    """Steps to wait for, unless it ends before."""


@dataclass(frozen=True, eq=False)
class Levels(Work):
    """The further levels of a take -> codes [T, 1 + levels]."""

    run: SpeechRun
    part: int
    candidate: int
    take: Take
    heard: bool = False
    """They are for the model to listen to, and no trace sees them made."""

    @property
    def stage(self) -> str:  # type: ignore[override]
        """Listening counts as such."""
        return "listen" if self.heard else "further levels"

    @property
    def together(self) -> Hashable:
        """All of a run."""
        return self.heard

    def make(self, works: Sequence[Levels]) -> list[Tensor]:
        """In batches that fit into memory."""
        plan, passes = self.run.plan, self.run.plan.passes
        if self.take.codes.dim() == 2:  # version 7 makes all levels at once
            keep = None if passes.levels is None else passes.levels + 1
            return [each.take.codes[:, :keep] for each in works]
        if passes.levels == 0 or not plan.model.supports(Target("nar", 1)):
            return [each.take.codes[:, None] for each in works]
        chain = self.run.levels.watched(None) if self.heard else self.run.levels

        def some(places: Sequence[int]) -> list[Tensor]:
            mine = [works[i] for i in places]
            return generate_nar(
                plan.model, [plan.utterance(each.part, each.candidate, own=True) for each in mine],
                [each.take.codes for each in mine], chain, seed=plan.seed, max_levels=passes.levels,
                guidance=passes.nar_guidance, frame_rate=plan.codec.frame_rate,
                progress=None if self.heard else self.run.progress,
            )  # fmt: skip

        with finite_states(plan.model, "NAR"):
            return in_batches(range(len(works)), passes.batch_size, some)


@dataclass(frozen=True, eq=False)
class Hear(Work):
    """Listening to a take -> the take, `lost` where words are missing."""

    run: SpeechRun
    part: int
    take: Take
    codes: Tensor

    stage = "listen"

    @property
    def together(self) -> Hashable:
        """All of a run."""
        return True

    def make(self, works: Sequence[Hear]) -> list[Take]:
        """In one go."""
        plan = self.run.plan
        wanted = [plan.parts[each.part].own_ids for each in works]
        codes = [each.codes for each in works]
        heard = hear_codes(plan.engine, codes, wanted, plan.prepared.language, plan.passes.batch_size)
        return [judged(each.run.plan, each.part, each.take, said) for each, said in zip(works, heard, strict=True)]


@dataclass(frozen=True, eq=False)
class Call(Work):
    """Anything else that is made alone -> what it returns."""

    run: SpeechRun
    name: str
    call: Callable[[], Any]

    @property
    def stage(self) -> str:  # type: ignore[override]
        """Its own."""
        return self.name

    def make(self, works: Sequence[Call]) -> list[Any]:
        """Call it."""
        return [each.call() for each in works]
