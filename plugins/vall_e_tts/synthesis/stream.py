"""`SpeechStream`: speech that is handed out while it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_audio import Joiner, Placed, Wave, paced
from vall_e_core import InputError

from .candidates import Chosen, alike
from .cloning import NEUTRAL, Resemblance, Trial, is_strange, said_neutrally
from .results import Part, Speech
from .run import Sound, SpeechRun
from .speech_record import speech_record

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from vall_e_trace import TraceLog

    from .request import PreparedSpeech
    from .scheduler import Scheduler


class SpeechStream(Iterator[Wave]):
    """Waves [samples] float32 at `sample_rate`, one after the other, pauses between parts included.

        stream = engine.stream("Hello there.", ["reference.wav"], seed=1)
        for wave in stream:
            play(wave, stream.sample_rate)
        print(stream.record["duration"])

    Of what has been handed out it keeps nothing but the parts' records. What goes wrong is raised by `next`, and then
    nothing more comes and there is no record. A part in
    which the model says nothing in any try is silent (its verdict is `empty`, and it is warned about); where all are,
    that is an InputError.
    """

    def __init__(
        self,
        begin: Callable[[PreparedSpeech], SpeechRun],
        prepared: PreparedSpeech,
        scheduler: Scheduler,
        *,
        began: float,
        keep_parts: bool = False,
        arguments: Mapping[str, object] | None = None,
    ) -> None:
        """
        Args:
            begin: plans a request, and hands the run to the scheduler.
            prepared: what is to be said.
            scheduler: makes it when samples are asked for.
            began: when the work on it began, by `time.perf_counter`.
            keep_parts: keep the finished parts in `parts`.
            arguments: what the record keeps of how to ask for the same again.
        """
        self._begin, self._scheduler = begin, scheduler
        self._closed = False
        self._keeps, self._arguments = keep_parts, arguments
        self._record: dict[str, Any] | None = None
        self._start(prepared)
        guarded = self._plan.strange and self._run.given is None
        self._trial = Trial(self.known_parts, prepared) if guarded else None
        """The first parts, whose sound is held back until they tell whether the model can speak like the reference."""
        self._held: list[Wave] = []
        self._instead_of: PreparedSpeech | None = None
        """What was asked for, where another voice speaks."""
        self._spent = time.perf_counter() - began
        self.sample_rate = self._plan.codec.sample_rate
        self.parts: list[Part] = []
        """The finished parts, where they are kept."""

    def _start(self, prepared: PreparedSpeech) -> None:
        """Begin with a request, with nothing said."""
        self._run = self._begin(prepared)
        self._plan = self._run.plan
        imitates = prepared.task.imitates and is_strange(self._plan.engine, prepared)
        self._resemblance = Resemblance(prepared, self._plan.codec) if imitates else None
        self._joiner = Joiner(self._plan.codec.sample_rate, self._plan.options.pause)
        self._chosen: list[Chosen] = []
        self._records: list[dict[str, Any]] = []
        self._alike = True
        self._leads = True
        """Whether the first part hasn't begun."""
        self._samples = 0

    @property
    def known_parts(self) -> int:
        """How many parts there are in all."""
        return len(self._plan.parts)

    @property
    def at_once(self) -> bool:
        """Whether all of it comes in one piece."""
        return not self._plan.early and self.known_parts == 1

    @property
    def early(self) -> bool:
        """Whether a part is handed out before it is whole."""
        return self._plan.early

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that was noticed so far."""
        return tuple(self._run.warnings)

    @property
    def record(self) -> dict[str, Any]:
        """Everything about the run, once all of it has been handed out. Raises ValueError before."""
        if self._record is None:
            raise ValueError("the speech isn't finished yet")
        return self._record

    @property
    def silent_parts(self) -> list[int]:
        """The numbers of the finished parts, from 0, in which nothing was said."""
        return [at for at, each in enumerate(self._records) if each["verdict"] == "empty"]

    @property
    def stopped(self) -> bool:
        """Whether every part that is finished ended by itself."""
        return all(each["stop_reason"] != "length" for each in self._records)

    def __next__(self) -> Wave:
        """The next samples, at least one; works until they are there."""
        with self._plan.engine.ready():
            while not self.finished:
                began = time.perf_counter()
                wave = self.poll()
                if wave is None and not self.finished:
                    self._scheduler.step()
                self._spent += time.perf_counter() - began
                if wave is not None:
                    return wave
        raise StopIteration

    @property
    def finished(self) -> bool:
        """Whether nothing more comes: all has been handed out, or it has failed, or was closed."""
        return self._closed or self._record is not None

    def poll(self) -> Wave | None:
        """The next samples if they are there, at least one; None where they aren't yet, or nothing more comes.

        It does no work itself; whoever calls `Scheduler.step` does. Raises what went wrong, once.
        """
        while not self.finished:
            try:
                sound = self._run.take()
                if sound is None and not self._run.done:
                    return None
                wave = self._released(self._heard(sound))
            except BaseException:
                self.close()
                raise
            if len(wave):
                return wave
        return None

    def _heard(self, sound: Sound | None) -> Wave:
        """The samples that a sound of the run gives, pauses included; None: there is no further one."""
        if sound is None:
            self._scheduler.remove(self._run)
            self._finish()
            return np.zeros(0, np.float32)
        wave = self._joined(sound)
        self._samples += len(wave)
        return wave

    def _released(self, wave: Wave) -> Wave:
        """What may be handed out now. Raises InputError where the model can't speak like the reference."""
        trial = self._trial
        if trial is None:
            return wave
        self._held.append(wave)
        if not trial.over:
            return wave[:0]
        held, self._held, self._trial = self._held, [], None
        if trial.failed:
            self._fall_back(trial)
            return wave[:0]
        released: Wave = np.concatenate(held)
        return released

    def _fall_back(self, trial: Trial) -> None:
        """Say all of it in another voice. Raises InputError where none was named."""
        asked, error = self._plan.prepared, trial.error()
        name = self._plan.options.voice_fallback
        if name is None:
            raise error
        self._scheduler.remove(self._run)
        options = replace(self._plan.options, seed=self._plan.seed)
        request = replace(asked.request, voice=name, references=(), reference_text=None, options=options)
        engine = self._plan.engine
        self._start(engine.speakers.prepare(request, notify=engine.notify))
        self._instead_of, self.parts = asked, []
        self._run.warnings.append(f"{error.message}: {name} speaks instead ({error.cause})")

    def close(self) -> None:
        """Make nothing more, and let go of what was under way; there is no record then. `with` does it at the end."""
        self._closed = True
        self._scheduler.remove(self._run)

    def whole(self) -> Speech:
        """All of it at once, where the parts are kept. Raises what `next` raises."""
        wave = np.concatenate([*self, np.zeros(0, np.float32)])
        return Speech(wave, self.sample_rate, self.parts, self.record, self.warnings, self.trace())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def trace(self) -> TraceLog | None:
        """What the chains did at every step, once all is finished; None where nothing was recorded."""
        run = self._run
        if run.traces is None:
            return None
        return run.traces.log(run.plan.chains, run.plan.wanted, self._chosen, self.record)

    def _joined(self, sound: Sound) -> Wave:
        at = len(self._records)
        said = self._plan.parts[at].said
        first = self._joiner.silence(said.lead) if self._leads else sound.wave[:0]
        self._leads = False
        if self._resemblance is not None:
            self._resemblance.add(sound.wave)
        ready = np.concatenate((first, self._joiner.push(paced(sound.wave, self.sample_rate, self._plan.rate(at)))))
        if sound.chosen is None:
            return ready
        rest, placed = self._joiner.end(last=at == self.known_parts - 1, pause=said.pause)
        self._note(at, sound.chosen, placed)
        joined: Wave = np.concatenate((ready, rest))
        return joined

    def _note(self, at: int, chosen: Chosen, placed: Placed) -> None:
        """Write down what became of part `at`."""
        part = self._part(at, chosen, placed)
        self._alike = self._alike and alike([chosen])
        self._records.append(part.record(at))
        if self._trial is not None:
            self._trial.note(part.verdict)
        self._warn_about(at, part)
        if self._keeps:
            self.parts.append(part)
        if self._run.traces is not None:
            self._chosen.append(chosen)

    def _part(self, at: int, chosen: Chosen, place: Placed) -> Part:
        text, take, rate = self._plan.parts[at], chosen.take, self.sample_rate
        return Part(
            text.text, text.phonemes, chosen.spoken.codes.cpu(), place.start / rate, place.length / rate,
            place.pause / rate, take.stop_reason, take.seed, take.tries, take.verdict, take.findings,
            take.log_probability, take.refined, take.alternative_log_probability, take.degenerate,
            chosen.record() if self._plan.judges or len(chosen.candidates) > 1 else (), take.rung,
            take.attempts, text.said,
        )  # fmt: skip

    def _warn_about(self, at: int, part: Part) -> None:
        count = self.known_parts
        where = f"part {at + 1} of {count}" if count > 1 else "the speech"
        tried = f"after {part.tries} tries" if part.tries > 1 else "at the first try"
        self._run.warnings += [f"{where} {finding} ({tried})" for finding in part.findings]
        if part.degenerate:
            self._run.warnings.append(
                f"{where}: the sampling chain left no token at {part.degenerate} steps; the likeliest was taken"
            )

    def _finish(self) -> None:
        if len(self.silent_parts) == len(self._records):
            raise InputError(
                "no speech produced", cause=f"the model stopped at once in {self._records[0]['tries']} tries",
                try_="another --seed, another reference, or a longer text",
            )  # fmt: skip
        if neutral := sum(each["rung"] == NEUTRAL for each in self._records):
            self._run.warnings.append(said_neutrally(neutral, len(self._records), self._plan.prepared))
        if self._alike:
            self._run.warnings.append("all candidates are alike: the sampling chain draws nothing")
        like = None
        if self._resemblance is not None:
            like = self._resemblance.value()
            self._run.warnings += self._resemblance.warning(like)
        self._record = speech_record(self._run, self._records, self._samples, self._spent) | {"likeness": like}
        if self._instead_of is not None:
            asked = [each.record() for each in self._instead_of.references]
            self._record["voice_fallback"] = {"voice": self._plan.options.voice_fallback, "instead_of": asked}
        if self._arguments is not None:
            self._record["arguments"] = dict(self._arguments)
