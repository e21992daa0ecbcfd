"""An engine in a process of its own, at the far end of a pipe.

What comes: a job, that somebody left one or has read of it, a question whether the engine still moves, the end. What
goes: waves, results, failures. `Processes` is the near end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from vall_e_core import Registry, VallEError
from vall_e_core.plugins import OURS
from vall_e_lm import ModelOptions

from ..synthesis.speakers import Speakers
from ..valle import VallE
from .job import EngineJob, SpeechWork, State, Work
from .worker import Worker

if TYPE_CHECKING:
    from vall_e_audio import Wave
    from vall_e_core.sampling.running import ChainRequest

    from ..synthesis.request import SpeechRequest
    from ..synthesis.scheduler import Scheduler


@dataclass(frozen=True)
class Setup:
    """How a process makes its engine. It is pickled, so both calls are functions of a module, or objects of a class."""

    load: Callable[[], VallE]
    rows: int = 8
    warm: Callable[[Scheduler], None] | None = None


@dataclass(frozen=True)
class LoadEngine:
    """The call that makes the engine of a process."""

    options: ModelOptions
    third_party: bool
    """Plugins of others are loaded too."""

    @classmethod
    def of(cls, options: ModelOptions, registry: Registry, number: int) -> LoadEngine:
        """For one of `number` processes, which share the cores unless `options` says how many threads each has."""
        if options.threads is None:
            options = replace(options, threads=max(1, (os.cpu_count() or 1) // number))
        foreign = any(each.distribution != OURS and each.status == "ok" for each in registry.records)
        return cls(options, foreign)

    def __call__(self) -> VallE:
        return VallE.load(options=self.options, registry=Registry.load(third_party=self.third_party))


@dataclass(frozen=True)
class Speaking:
    """`SpeechWork` on its way to another process, which checks the request again: a checked one holds locks."""

    request: SpeechRequest
    chains: Mapping[str, ChainRequest]
    early: bool
    trace: bool
    patient: bool
    keep_parts: bool

    @classmethod
    def of(cls, work: SpeechWork) -> Speaking:
        """What is to be sent for a work."""
        asked = getattr(work.request, "request", work.request)
        return cls(asked, work.chains, work.early, work.trace, work.patient, work.keep_parts)

    def work(self, speakers: Speakers) -> SpeechWork:
        """The work, checked. Raises what `SpeechRequest.prepare` does."""
        return SpeechWork(
            speakers.prepare(self.request), self.chains, self.early, self.trace, self.patient, self.keep_parts
        )


def main(pipe: Connection, setup: Setup) -> None:
    """Load the engine, tell so, and do what comes through the pipe until it is closed."""
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all processes; the first one ends the others
    far = _FarEnd(pipe, Worker(setup.load, rows=setup.rows, warm=setup.warm))
    try:
        if far.load():
            while far.next():
                pass
    except (EOFError, OSError):  # the other end has died: nobody waits for anything
        os._exit(0)


class _FarEnd:
    """The jobs of one process."""

    def __init__(self, pipe: Connection, worker: Worker) -> None:
        self._pipe, self._worker = pipe, worker
        self._jobs: dict[int, _Relayed] = {}
        self._sending = threading.Lock()

    def load(self) -> bool:
        """Load the engine. Whether that went well; the other end is told either way."""
        self._worker.start()
        self._worker.wait()
        failure = self._worker.failure
        self.send("ready", 0, None if failure is None else portable(failure))
        if failure is None:
            assert self._worker.engine is not None
            self._speakers = self._worker.engine.speakers
        return failure is None

    def next(self) -> bool:
        """Do what comes next; False at the end. Raises EOFError and OSError where the other end is gone."""
        what, number, value = self._pipe.recv()
        if what == "end":
            self._worker.close()
            return False
        if what == "moves":
            self.send("moves", number, self._worker.ready)
        elif what == "begin":
            self._begin(number, *value)
        elif (job := self._jobs.get(number)) is not None:
            if what == "leave":
                job.cancel()
            else:
                job.read_to(value)
        return True

    def _begin(self, number: int, work: Speaking | Work, unread: float | None) -> None:
        try:
            found = work.work(self._speakers) if isinstance(work, Speaking) else work
        except Exception as error:
            self.send("ended", number, ("failed", None, portable(error)))
            return
        job = self._jobs[number] = _Relayed(found, unread, number, self)
        self._worker.submit(job, lambda _: self.forget(number))

    def forget(self, number: int) -> None:
        """A job is over."""
        self._jobs.pop(number, None)

    def send(self, what: str, number: int, value: object = None) -> None:
        """Send a message. Where nobody reads any more the process ends."""
        try:
            with self._sending:
                self._pipe.send((what, number, value))
        except OSError:
            os._exit(0)


class _Relayed(EngineJob):
    """A job whose listener is in another process: what it makes goes there."""

    def __init__(self, work: Work, unread: float | None, number: int, far: _FarEnd) -> None:
        super().__init__(work, unread=unread)
        self._number, self._far = number, far
        self._sent = self._read = 0.0
        """Seconds of sound, altogether."""

    @property
    def has_room(self) -> bool:
        return self.unread is None or self._sent - self._read < self.unread

    def read_to(self, seconds: float) -> None:
        """So much of it has been read."""
        self._read = seconds
        if self._made_room is not None:
            self._made_room()

    def put(self, wave: Wave, sample_rate: int) -> None:
        self._sent += len(wave) / sample_rate
        self._far.send("wave", self._number, (wave, sample_rate))

    def end(self, state: State, *, result: Any = None, error: BaseException | None = None) -> None:  # noqa: ANN401 - as the base's
        super().end(state, result=result, error=error)
        failed = None if error is None else portable(error)
        self._far.send("ended", self._number, (state, result, failed))


def portable(error: BaseException) -> BaseException:
    """An error that another process can read: itself where it is one that a user is told, else one with its words."""
    kind = type(error)
    named = getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
    told = isinstance(error, (VallEError, MemoryError))
    return error if named and told else RuntimeError(f"{kind.__name__}: {error}")
