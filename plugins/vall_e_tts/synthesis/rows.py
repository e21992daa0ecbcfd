"""Level 0 of many parts side by side: rows of one loop, begun, followed, ended and let go of."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from vall_e_core import DeviceError
from vall_e_lm import SharedLoop, Target, Written

from .work import Follow, Following, Level0, More, Work

if TYPE_CHECKING:
    from ..valle import VallE
    from .run import SpeechRun
    from .takes import Steps


@dataclass(eq=False)
class Item:
    """A part, or one candidate of it, on its way."""

    run: SpeechRun
    part: int
    steps: Steps[Any]
    done: Callable[[Any], None]
    """Told what it returns."""
    work: Work | More | Follow | None = None
    """What it waits for."""
    since: int = 0
    """The step at which it began to wait for more."""


@dataclass(eq=False)
class _Row:
    """A row of the loop: who waits for it, or follows it."""

    item: Item
    level0: Level0
    following: Following | None = field(default=None)


class Level0Rows:
    """Items that wait for level 0, and the loop that writes it."""

    def __init__(
        self,
        engine: VallE,
        most: int,
        *,
        alike: bool,
        go_on: Callable[[Item, Any], None],
        fail: Callable[[SpeechRun, BaseException], None],
    ) -> None:
        """
        Args:
            engine: whose model writes.
            most: rows at the same time.
            alike: a row's tokens are bit-identical, whatever its neighbors are.
            go_on: told what came of what an item waited for.
            fail: told what has ended a run.
        """
        self.engine, self.most, self.alike = engine, most, alike
        self._go_on, self._fail = go_on, fail
        self._loop: SharedLoop | None = None
        self._waiting: deque[Item] = deque()
        self._written: dict[int, _Row] = {}
        self._following: list[Item] = []
        self._count = 0

    @property
    def active(self) -> int:
        """Rows that are being written."""
        return len(self._written)

    @property
    def busy(self) -> int:
        """The same, and those that wait for a place."""
        return len(self._written) + len(self._waiting)

    def of(self, run: SpeechRun) -> int:
        """Rows of one run."""
        return sum(row.item.run is run for row in self._written.values())

    def add(self, item: Item) -> None:
        """An item waits for level 0, whole or to follow it, or for more of what it follows."""
        if not isinstance(item.work, More):
            self._waiting.append(item)
        elif item.work.following.take is not None:
            self._go_on(item, item.work.following.fresh())
        else:
            item.since = self._count
            self._following.append(item)

    def remove(self, run: SpeechRun) -> list[Item]:
        """Let go of a run's rows; those of its items that waited here."""
        numbers = [number for number, row in self._written.items() if row.item.run is run]
        found = [self._written.pop(number).item for number in numbers]
        if self._loop is not None and numbers:
            self._loop.cancel(numbers)
        found += [each for each in (*self._waiting, *self._following) if each.run is run and each not in found]
        self._waiting = deque(each for each in self._waiting if each.run is not run)
        self._following = [each for each in self._following if each.run is not run]
        return found

    def close(self) -> None:
        """Let go of the loop's memory."""
        if self._loop is not None:
            self._loop.close()

    def write(self) -> None:
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
            self.close()
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

    def _shared(self) -> SharedLoop:
        if self._loop is None:
            engine = self.engine
            self._loop = SharedLoop(
                engine.loaded.model, Target("ar"), "ar", most=self.most, frame_rate=engine.codec.frame_rate,
                alike=self.alike,
            )  # fmt: skip
        return self._loop

    def _join(self, loop: SharedLoop, some: Sequence[Item]) -> None:
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
        except BaseException as error:  # also an interrupt: raising is how a caller ends the run
            self._fail(run, error)

    def _shed(self, joining: Sequence[Item], cause: str) -> None:
        """The device's memory doesn't suffice: begin all rows again, half as many at a time."""
        error = DeviceError(
            "out of memory on the device", cause=cause,
            try_="a shorter text or reference, --dtype bfloat16, or --device cpu",
        )  # fmt: skip
        heard = {row.item.run for row in self._written.values() if row.following is not None}
        again = [row.item for row in self._written.values() if row.item.run not in heard]
        again += [each for each in joining if each.run not in heard and each not in again]
        for run in {each.run for each in again} | heard if self.most == 1 else heard:
            self._fail(run, error)
        self.close()
        self._loop, self.most = None, max(1, self.most // 2)
        self._waiting.extendleft(each for each in reversed(again) if each.run.error is None)
        self._written.clear()
        torch.cuda.empty_cache()


def _more(item: Item) -> More:
    assert isinstance(item.work, More)
    return item.work


def _level0(item: Item) -> Level0:
    work = item.work.level0 if isinstance(item.work, Follow) else item.work
    assert isinstance(work, Level0)
    return work
