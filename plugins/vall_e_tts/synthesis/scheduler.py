"""The one loop in which speech is made: parts of one run or of many, their level 0 side by side, the rest behind it.

Parts are generators that say what they wait for. Those that wait for level 0 share the steps of one loop of rows; what
else they wait for is made between two steps, several at once where they are alike. Nothing here runs by itself:
`Scheduler.step` does the next thing, whoever calls it. What is made of a part doesn't depend on the order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from vall_e_lm import Deadline

from .chains import Chains
from .early import early_part
from .planning import plan_speech
from .request import SpeechRequest
from .rows import Item, Level0Rows
from .run import Clock, Sound, SpeechRun
from .stream import SpeechStream
from .takes import Steps
from .traces import Traces
from .whole import whole_part
from .work import Follow, Level0, More, Together, Work

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_core.sampling.running import ChainRequest
    from vall_e_lm import Progress

    from ..valle import VallE
    from .request import PreparedSpeech

AHEAD = 16
"""Batches of parts that are begun before the first of them has been taken out, where nobody listens yet."""


class Scheduler:
    """Makes the speech of any number of requests with one engine. Not to be called by several threads at once.

        scheduler = Scheduler(engine, rows=8)
        one, other = scheduler.begin(first, early=True), scheduler.begin(second)
        while scheduler.step():
            while (wave := one.poll()) is not None:
                play(wave)
    """

    def __init__(self, engine: VallE, *, rows: int | None = None, alike: bool = False) -> None:
        """
        Args:
            engine: what speaks.
            rows: parts whose level 0 is written at the same time, at most; None: as many as the first request asks for.
            alike: a request gives bit-identical speech, whatever else is made at the same time. It costs some speed:
                then only level 0 is made for several at once.
        """
        self.engine, self.alike = engine, alike
        self._asked_rows = rows
        self._chains = Chains(engine)
        self._runs: list[SpeechRun] = []
        self._asking: list[Item] = []
        """Items that wait for anything but level 0."""
        self._made_rows: Level0Rows | None = None
        self._wrote = True
        """Whether the last thing done was a step of the loop."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._runs

    @property
    def active(self) -> int:
        """Rows that are being written."""
        return 0 if self._made_rows is None else self._made_rows.active

    def begin(
        self,
        request: SpeechRequest | PreparedSpeech,
        chains: Mapping[str, ChainRequest] | None = None,
        *,
        progress: Progress | None = None,
        trace: bool = False,
        early: bool = False,
        patient: bool = False,
        given: Tensor | None = None,
        keep_parts: bool = False,
        arguments: Mapping[str, object] | None = None,
    ) -> SpeechStream:
        """Take a request on.

        Args:
            request: what is to be said; one that has been prepared isn't prepared again.
            chains: what was said about the chain of each stage.
            progress: called between steps with (stage, steps done, steps at most); what it raises ends the run.
            trace: note what the chains do at every step.
            early: hand out pieces of a part before it is whole, where that is possible.
            patient: nobody listens before all of it is there, so that work is better gathered than done soon.
            given: level 0 [T], where it is known already.
            keep_parts: the stream keeps the parts.
            arguments: what the record keeps of how to ask for the same again.

        Returns:
            The stream. Asking it for a wave does the work, of whatever request; so does `step`.

        Raises:
            InputError, UsageError, ModelError, DeviceError: see `plan_speech`.
            The stream raises TimeLimitError where the options limit the time.
        """
        began, clock = time.perf_counter(), Clock()
        prepared = request
        if isinstance(prepared, SpeechRequest):
            prepared = self.engine.speakers.prepare(prepared, notify=self.engine.notify)
        deadline = Deadline(prepared.request.options.timeout, "the speech")
        watch = progress if deadline.seconds is None else deadline.watch(progress)

        def start(prepared: PreparedSpeech) -> SpeechRun:
            plan = plan_speech(self.engine, prepared, chains or {}, clock, self._chains, early=early, traced=trace)
            run = SpeechRun(plan, clock, watch, Traces() if trace else None, patient, deadline, given)
            self._runs.append(run)
            return run

        return SpeechStream(start, prepared, self, began=began, keep_parts=keep_parts, arguments=arguments)

    def remove(self, run: SpeechRun) -> None:
        """Let go of a run: its rows leave before the next step."""
        if run in self._runs:
            self._runs.remove(run)
        gone = [each for each in self._asking if each.run is run]
        if self._made_rows is not None:
            gone += self._made_rows.remove(run)
        self._asking = [each for each in self._asking if each.run is not run]
        for each in gone:
            each.steps.close()
        if not self._runs and self._made_rows is not None:
            self._made_rows.close()

    @torch.inference_mode()
    def step(self) -> bool:
        """Do the next thing: one step of all rows, or one piece of other work.

        Returns:
            Whether there was anything to do. What goes wrong in a run is its `error`, and ends that run alone; where
            the model itself fails at a step that runs share, it ends all of them.
        """
        if not self._runs:
            return False
        rows = self._rows()
        for run in self._runs[:]:
            if (late := run.late()) is not None:
                self._fail(run, late)
        self._begin(rows)
        writing = rows.busy > 0
        due = self._due(urgent=writing) if self._wrote or not writing else []
        if due:
            self._wrote = False
            self._make(due)
        elif writing:
            self._wrote = True
            rows.write()
        return bool(due) or writing

    # what is begun

    def _rows(self) -> Level0Rows:
        if self._made_rows is None:
            most = self._asked_rows or self._runs[0].plan.passes.batch_size
            self._made_rows = Level0Rows(
                self.engine, most, alike=self.alike, go_on=self._go_on, fail=self._fail
            )  # fmt: skip
        return self._made_rows

    def _begin(self, rows: Level0Rows) -> None:
        """Begin the next parts of runs that have room for them, those of whoever has the fewest rows first."""
        for run in sorted((each for each in self._runs if each.begun < len(each.plan.parts)), key=rows.of):
            while run.begun < len(run.plan.parts) and self._has_room(run, rows):
                part, run.begun = run.begun, run.begun + 1
                steps = (early_part if run.plan.early else whole_part)(run, part)
                self._go_on(Item(run, part, steps, _ignore))

    def _has_room(self, run: SpeechRun, rows: Level0Rows) -> bool:
        ahead = run.begun - run.heard
        if not run.patient and run.heard == 0 and not run.sounded:
            return ahead < 1  # all that there is for the first sound
        if run.plan.early:
            return ahead < 2
        passes = run.plan.passes
        several = max(1, passes.batch_size // passes.candidates)
        if not run.patient:
            return ahead < several
        if not run.joins(0):
            return ahead < several * (AHEAD if run.heard else 1)
        spare = 1 if self.alike and rows.most > 1 else 0  # so that who comes next needn't wait for a whole part
        return ahead < several * AHEAD and rows.busy < min(rows.most - spare, passes.batch_size)

    # what is waited for

    def _go_on(self, item: Item, value: Any = None) -> None:  # noqa: ANN401 - whatever came of its work
        """Let an item go on with what it waited for, to the next thing."""
        item.work = None
        while True:
            try:
                asked = item.steps.send(value)
            except StopIteration as end:
                item.done(end.value)
                return
            except Exception as failed:  # of whatever kind: it is raised where the run's sound is taken out
                self._fail(item.run, failed)
                return
            value = None
            if isinstance(asked, Sound):
                item.run.put(item.part, asked)
            elif isinstance(asked, Together):
                self._split(item, asked.items)
                return
            else:
                self._ask(item, asked)
                return

    def _split(self, item: Item, parts: Sequence[Steps[Any]]) -> None:
        """Several go on; when all have returned, so does `item`."""
        made: dict[int, Any] = {}

        def done(place: int) -> Callable[[Any], None]:
            def note(value: object) -> None:
                made[place] = value
                if len(made) == len(parts):
                    self._go_on(item, [made[at] for at in range(len(parts))])

            return note

        for place, steps in enumerate(parts):
            if item.run.error is None:
                self._go_on(Item(item.run, item.part, steps, done(place)))

    def _ask(self, item: Item, asked: Work | More | Follow) -> None:
        item.work = asked
        row = isinstance(asked, (Follow, More)) or (isinstance(asked, Level0) and asked.run.joins(asked.attempt))
        if row:
            self._rows().add(item)
        else:
            self._asking.append(item)

    def _fail(self, run: SpeechRun, error: BaseException) -> None:
        run.error = run.error or error
        self.remove(run)

    # other work than level 0

    def _due(self, *, urgent: bool) -> list[Item]:
        """What is made next: of the run whose listener waits the longest, its earliest part, and what is like it.

        `urgent`: only what somebody waits for, or as much as is made at once.
        """
        if not self._asking:
            return []
        waiting = [each for each in self._asking if each.run.patient or not each.run.has_enough(each.part)]
        for first in sorted(waiting, key=lambda each: (each.run.patient, each.run.dry, each.part)):
            alike = self._alike(first, waiting)
            most = 1 if self.alike else first.run.plan.passes.batch_size
            if not urgent or not first.run.patient or len(alike) >= most:
                return alike if isinstance(first.work, Level0) else alike[:most]
        return []

    def _alike(self, first: Item, waiting: Sequence[Item]) -> list[Item]:
        assert isinstance(first.work, Work)
        if self.alike or first.work.together is None:
            return [first]
        kind, key = type(first.work), first.work.together
        return [
            each
            for each in waiting
            if each.run is first.run and isinstance(each.work, kind) and each.work.together == key
        ]

    def _make(self, items: Sequence[Item]) -> None:
        """Make what some items of one run wait for."""
        run, works = items[0].run, [each.work for each in items]
        self._asking = [each for each in self._asking if each not in items]
        assert isinstance(works[0], Work)
        began = time.perf_counter()
        try:
            made = works[0].make(works)
        except Exception as error:  # of whatever kind: it belongs to this run alone
            self._fail(run, error)
            return
        finally:
            run.clock.add(works[0].stage, time.perf_counter() - began)
        for item, value in zip(items, made, strict=True):
            if run.error is None:
                self._go_on(item, value)


def _ignore(value: object) -> None:
    """Nobody asks what came of it."""
