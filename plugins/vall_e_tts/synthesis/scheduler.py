"""The one loop in which speech is made: parts of one run or of many, their level 0 side by side, the rest behind it.

Parts are generators that say what they wait for. Those that wait for level 0 share the steps of one loop of rows; what
else they wait for is made between two steps, several at once where they are alike. Nothing here runs by itself:
`Scheduler.step` does the next thing, whoever calls it. What is made of a part doesn't depend on the order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from vall_e_core import DeviceError
from vall_e_lm import SharedLoop, Target, Written

from .early import early_part
from .run import Sound, SpeechRun
from .takes import Steps
from .whole import whole_part
from .work import Follow, Following, Level0, More, Together, Work

if TYPE_CHECKING:
    from ..valle import VallE

AHEAD = 16
"""Batches of parts that are begun before the first of them has been taken out, where nobody listens yet."""
ENOUGH_SECONDS = 4.0
"""Of sound that nobody has taken out yet: then a run's next windows wait, though its level 0 goes on."""


@dataclass(eq=False)
class _Item:
    """A part, or one candidate of it, on its way."""

    run: SpeechRun
    part: int
    steps: Steps[Any]
    done: Callable[[Any], None]
    """Told what it returns."""
    work: Work | More | Follow | None = None
    since: int = 0
    """The step at which it began to wait for more."""


@dataclass(eq=False)
class _Row:
    """A row of the shared loop: who waits for it, or follows it."""

    item: _Item
    level0: Level0
    following: Following | None = field(default=None)


class Scheduler:
    """Makes the parts of any number of runs of one engine. Not to be called by several threads at once."""

    def __init__(self, engine: VallE, *, rows: int, alike: bool = False) -> None:
        """
        Args:
            engine: whose runs they are.
            rows: parts whose level 0 is written at the same time, at most.
            alike: what is made of a run is the same to the bit whatever else is made beside it.
        """
        self.engine, self.rows, self.alike = engine, rows, alike
        self._loop: SharedLoop | None = None
        self._runs: list[SpeechRun] = []
        self._waiting: deque[_Item] = deque()
        """For level 0, to join the loop; the others are in `_asking`."""
        self._asking: list[_Item] = []
        self._written: dict[int, _Row] = {}
        self._following: list[_Item] = []
        self._count = 0
        self._wrote = True
        """Whether the last thing done was a step of the loop."""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not self._runs

    @property
    def active(self) -> int:
        """Rows that are being written."""
        return len(self._written)

    def add(self, run: SpeechRun) -> None:
        """Take a run on; its sounds are there for `SpeechRun.take` as soon as they are made."""
        self._runs.append(run)

    def remove(self, run: SpeechRun) -> None:
        """Let go of a run: its rows leave before the next step."""
        if run in self._runs:
            self._runs.remove(run)
        numbers = [number for number, row in self._written.items() if row.item.run is run]
        for number in numbers:
            del self._written[number]
        if self._loop is not None and numbers:
            self._loop.cancel(numbers)
        gone = [each for each in (*self._waiting, *self._asking, *self._following) if each.run is run]
        self._waiting = deque(each for each in self._waiting if each.run is not run)
        self._asking = [each for each in self._asking if each.run is not run]
        self._following = [each for each in self._following if each.run is not run]
        for each in gone:
            each.steps.close()
        if not self._runs:
            self._drop_loop()

    @torch.inference_mode()
    def step(self) -> bool:
        """Do the next thing: one step of all rows, or one piece of other work.

        Returns:
            Whether there was anything to do. What goes wrong is the run's `error`, and ends that run alone.
        """
        self._begin()
        writing = bool(self._waiting or self._written)
        due = self._due(urgent=writing) if self._wrote or not writing else []
        if due:
            self._wrote = False
            self._make(due)
        elif writing:
            self._wrote = True
            self._write()
        else:
            due = self._due(urgent=False)
            if not due:
                return False
            self._make(due)
        return True

    # what is begun

    def _begin(self) -> None:
        """Begin the next parts of runs that have room for them, those of whoever has the fewest rows first."""
        for run in sorted((each for each in self._runs if each.begun < len(each.plan.parts)), key=self._share):
            while run.begun < len(run.plan.parts) and self._has_room(run):
                part, run.begun = run.begun, run.begun + 1
                steps = (early_part if run.plan.early else whole_part)(run, part)
                self._go_on(_Item(run, part, steps, _ignore))

    def _share(self, run: SpeechRun) -> int:
        return sum(row.item.run is run for row in self._written.values())

    def _has_room(self, run: SpeechRun) -> bool:
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
        busy = len(self._waiting) + len(self._written)
        return ahead < several * AHEAD and busy < min(self.rows, passes.batch_size)

    # what is waited for

    def _go_on(self, item: _Item, value: Any = None, error: BaseException | None = None) -> None:  # noqa: ANN401
        """Let an item go on with what it waited for, to the next thing."""
        item.work = None
        while True:
            try:
                asked = item.steps.send(value) if error is None else item.steps.throw(error)
            except StopIteration as end:
                item.done(end.value)
                return
            except Exception as failed:
                self._fail(item.run, failed)
                return
            value, error = None, None
            if isinstance(asked, Sound):
                item.run.put(item.part, asked)
            elif isinstance(asked, Together):
                self._split(item, asked.items)
                return
            else:
                self._ask(item, asked)
                return

    def _split(self, item: _Item, parts: Sequence[Steps[Any]]) -> None:
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
                self._go_on(_Item(item.run, item.part, steps, done(place)))

    def _ask(self, item: _Item, asked: Work | More | Follow) -> None:
        item.work = asked
        if isinstance(asked, Follow) or (isinstance(asked, Level0) and asked.run.joins(asked.attempt)):
            self._waiting.append(item)
        elif isinstance(asked, More):
            item.since = self._count
            if asked.following.take is not None:
                self._go_on(item, asked.following.fresh())
            else:
                self._following.append(item)
        else:
            self._asking.append(item)

    def _fail(self, run: SpeechRun, error: BaseException) -> None:
        run.error = run.error or error
        self.remove(run)

    # other work than level 0

    def _due(self, *, urgent: bool) -> list[_Item]:
        """What is made next: of the run whose listener waits the longest, its earliest part, and what is like it.

        `urgent`: only what somebody waits for, or as much as is made at once.
        """
        if not self._asking:
            return []
        waiting = [each for each in self._asking if each.run.seconds < ENOUGH_SECONDS or each.run.patient]
        if not waiting and not urgent:
            waiting = list(self._asking)
        for first in sorted(waiting, key=lambda each: (each.run.patient, each.run.dry, each.part)):
            alike = self._alike(first, waiting)
            most = 1 if self.alike else first.run.plan.passes.batch_size
            if not urgent or not first.run.patient or len(alike) >= most:
                return alike if isinstance(first.work, Level0) else alike[:most]
        return []

    def _alike(self, first: _Item, waiting: Sequence[_Item]) -> list[_Item]:
        assert isinstance(first.work, Work)
        if self.alike or first.work.together is None:
            return [first]
        kind, key = type(first.work), first.work.together
        return [
            each
            for each in waiting
            if each.run is first.run and isinstance(each.work, kind) and each.work.together == key
        ]

    def _make(self, items: Sequence[_Item]) -> None:
        """Make what some items of one run wait for."""
        run, works = items[0].run, [each.work for each in items]
        self._asking = [each for each in self._asking if each not in items]
        assert isinstance(works[0], Work)
        began = time.perf_counter()
        try:
            made = works[0].make(works)
        except Exception as error:
            self._fail(run, error)
            return
        finally:
            run.clock.add(works[0].stage, time.perf_counter() - began)
        for item, value in zip(items, made, strict=True):
            if run.error is None:
                self._go_on(item, value)

    # level 0

    def _write(self) -> None:
        """Let those join that wait, and take a step."""
        loop = self._shared()
        began = time.perf_counter()
        joining = [self._waiting.popleft() for _ in range(min(loop.free, len(self._waiting)))]
        runs = {each.run for each in joining} | {row.item.run for row in self._written.values()}
        try:
            self._join(loop, joining)
            ended = self._steps(loop)
        except torch.cuda.OutOfMemoryError as error:
            self._shed(joining, str(error).splitlines()[0])
            return
        except Exception as error:  # the model is broken, for all of them
            for run in runs:
                self._fail(run, error)
            self._drop_loop()
            return
        spent = time.perf_counter() - began
        for run in runs:
            run.clock.add("level 0", spent / len(runs))
            self._tell(run)
        for number, written in ended.items():
            self._ended(number, written)
        for item in [each for each in self._following if self._count - each.since >= _more(each).every]:
            if item in self._following:  # unless what went on before has ended it
                self._following.remove(item)
                self._go_on(item, _more(item).following.fresh())

    def _steps(self, loop: SharedLoop) -> dict[int, Written | Exception]:
        """As many steps as the loop takes between two looks at who has stopped."""
        ended: dict[int, Written | Exception] = {}
        for _ in range(loop.period):
            ended |= loop.step()
            self._count += 1
        return ended

    def _drop_loop(self) -> None:
        if self._loop is not None:
            self._loop.close()
        self._loop = None

    def _shared(self) -> SharedLoop:
        if self._loop is None:
            engine = self.engine
            self._loop = SharedLoop(
                engine.loaded.model, Target("ar"), "ar", most=self.rows, frame_rate=engine.codec.frame_rate,
                alike=self.alike,
            )  # fmt: skip
        return self._loop

    def _join(self, loop: SharedLoop, some: Sequence[_Item]) -> None:
        works = [_level0(each) for each in some]
        numbers = loop.admit([(each.job(), each.chain) for each in works])
        for number, item, work in zip(numbers, some, works, strict=True):
            row = self._written[number] = _Row(item, work)
            if isinstance(item.work, Follow):
                row.following = Following(loop, number, lambda number=number: self._stop(number))  # type: ignore[misc]
                self._go_on(item, row.following)

    def _stop(self, number: int) -> None:
        """A row is long enough."""
        if self._written.pop(number, None) is not None and self._loop is not None:
            self._loop.cancel([number])

    def _ended(self, number: int, written: Written | Exception) -> None:
        row = self._written.pop(number, None)
        if row is None:
            return
        if isinstance(written, Exception):
            self._fail(row.item.run, written)
        elif row.following is None:
            self._go_on(row.item, row.level0.take(written))
        else:
            row.following.take = row.level0.take(written)
            if row.item in self._following:
                self._following.remove(row.item)
                self._go_on(row.item, row.following.fresh())

    def _tell(self, run: SpeechRun) -> None:
        """Progress: what it raises ends the run."""
        if run.progress is None:
            return
        run.steps += 1
        try:
            run.progress("ar", run.steps, max(run.steps, run.most_steps))
        except BaseException as error:
            self._fail(run, error)

    def _shed(self, joining: Sequence[_Item], cause: str) -> None:
        """The device's memory doesn't suffice: begin all rows again, half as many at a time."""
        error = DeviceError(
            "out of memory on the device", cause=cause,
            try_="a shorter text or reference, --dtype bfloat16, or --device cpu",
        )  # fmt: skip
        heard = {row.item.run for row in self._written.values() if row.following is not None}
        again = [row.item for row in self._written.values() if row.item.run not in heard]
        again += [each for each in joining if each.run not in heard and each not in again]
        for run in {each.run for each in again} | heard if self.rows == 1 else heard:
            self._fail(run, error)
        self._drop_loop()
        self.rows = max(1, self.rows // 2)
        self._waiting.extendleft(each for each in reversed(again) if each.run.error is None)
        self._written.clear()
        torch.cuda.empty_cache()


def drive(scheduler: Scheduler, run: SpeechRun) -> Generator[Sound, None, None]:
    """The sounds of one run, in order, made when they are asked for. Raises what ends the run."""
    while not run.done:
        sound = run.take()
        if sound is not None:
            yield sound
        elif not scheduler.step():
            break
    if run.error is not None:
        raise run.error


def _more(item: _Item) -> More:
    assert isinstance(item.work, More)
    return item.work


def _level0(item: _Item) -> Level0:
    work = item.work.level0 if isinstance(item.work, Follow) else item.work
    assert isinstance(work, Level0)
    return work


def _ignore(value: object) -> None:
    """Nobody asks what came of it."""
