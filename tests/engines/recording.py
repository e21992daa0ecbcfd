"""Recorders for a CPU: they repeat what was done once by doing it again, and watch whether a graph could have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from vall_e_core.sampling import state as states
from vall_e_lm import KVCache
from vall_e_lm.decode import loop as loops
from vall_e_lm.decode.executors import RecordedExecutor, Still
from vall_e_lm.decode.loop import Loop

Work = Callable[[], None]


def standing(loop: Loop) -> list[Tensor]:
    """Every tensor that a recorded step reads or writes and that outlives it, but for weights and the chain's own."""
    assert isinstance(loop.executor, RecordedExecutor)
    stepper = loop.stepper
    cache: KVCache = stepper._cache  # type: ignore[attr-defined]  # only cached ones are recorded
    found = [*states.tensors(loop.executor.still), cache.keys, cache.values, cache.lengths, stepper._positions]  # type: ignore[attr-defined]
    running = stepper._guided.running  # type: ignore[attr-defined]  # only guided ones are recorded
    return found if running is None else [*found, running._count, running._mean, running._m2]


@dataclass
class Repeating:
    """A recorder. The `work` of a key's first step is what is done at every later one: a graph knows no newer."""

    check: Callable[[Work], None] = lambda work: work()
    """Does the work, and looks at what it does."""
    said: list[str] = field(default_factory=list)
    starts: int = 0
    steps: int = 0
    repeats: int = 0
    keys: list[int] = field(default_factory=list)

    def start(self) -> Repeated:
        self.starts += 1
        return Repeated(self)

    def decline(self, reason: str) -> None:
        self.said.append(reason)


class Repeated:
    def __init__(self, recorder: Repeating) -> None:
        self.recorder = recorder
        self.known: dict[int, Work] = {}

    def run(self, key: int, work: Work) -> None:
        recorder = self.recorder
        recorder.steps += 1
        if key in self.known:
            recorder.repeats += 1
        else:
            recorder.keys.append(key)
        recorder.check(self.known.setdefault(key, work))


@dataclass
class InPlace:
    """Sees that nothing moves: what a batch's step writes to lies where it lay, from its first step to its last."""

    loops: list[Loop]
    still: Still | None = None
    places: list[int] = field(default_factory=list)

    def __call__(self, work: Work) -> None:
        work()
        loop = self.loops[-1]
        assert isinstance(loop.executor, RecordedExecutor)
        mine = [each.data_ptr() for each in standing(loop)]
        if self.still is not loop.executor.still:
            self.still, self.places = loop.executor.still, mine
        assert mine == self.places
        held = {each.data_ptr() for each in states.tensors(self.still)}
        records = (loop.lane.step, loop.lane.rows, loop.lane.state)
        assert all(each.data_ptr() in held for each in states.tensors(records)), "the loop holds on to something else"


def watch_loops(patch: Callable[..., None]) -> list[Loop]:
    """Every loop that is made, in order; `patch` is monkeypatch.setattr."""
    made: list[Loop] = []
    begin = Loop.__init__

    def noted(self: Loop, *given: object, **more: object) -> None:
        begin(self, *given, **more)  # type: ignore[arg-type]  # handed on as they came
        made.append(self)

    patch(Loop, "__init__", noted)
    return made


def buckets(patch: Callable[..., None], size: int, period: int, device: str = "cpu") -> None:
    """Let a device round the cache up as a GPU does, and look at who has stopped as seldom."""
    patch(KVCache, "BUCKETS", {device: size})
    patch(loops, "CHECK_PERIODS", {device: period})
