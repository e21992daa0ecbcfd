"""A job for the engine: what it does, and the sound of it on the way to whoever asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from vall_e_audio import AudioClip, Wave
    from vall_e_core.sampling.running import ChainRequest
    from vall_e_lm import Progress
    from vall_e_stt import HearingOptions, Transcription
    from vall_e_trace import TraceLog

    from ..synthesis.results import Part
    from ..synthesis.scheduler import Scheduler
    from ..synthesis.stream import SpeechStream
    from ..valle import VallE

MOST_WAITING_SECONDS = 4.0
"""Sound that may wait for a slow reader; more isn't made."""

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Cancelled(BaseException):
    """Raised between two steps of the engine to end a job. No `except Exception` may swallow it."""


class Work(Protocol):
    """What the engine does for a job."""

    def begin(self, scheduler: Scheduler, progress: Progress) -> SpeechStream | None:
        """Begin. The stream of what the scheduler makes from now on; None where all is done already.

        `progress` is called between steps, and what it raises ends the work.
        """

    def result(self) -> Any:  # noqa: ANN401 - each work has its own
        """What came of it, once all waves are out."""


@dataclass
class Spoken:
    """What is known of finished speech."""

    record: dict[str, Any]
    warnings: tuple[str, ...]
    trace: TraceLog | None
    parts: list[Part] = field(default_factory=list)
    """Where they are kept."""


@dataclass
class SpeechWork:
    """Speech from a request that has been checked."""

    request: Any
    """A prepared speech request (`SpeechRequest.prepare`); for another process it needn't be prepared."""
    chains: Mapping[str, ChainRequest] = field(default_factory=dict)
    early: bool = False
    """In pieces, before a part is whole."""
    trace: bool = False
    patient: bool = False
    """Nothing of it is sent before all of it is there."""
    keep_parts: bool = False
    _stream: SpeechStream | None = None

    def begin(self, scheduler: Scheduler, progress: Progress) -> SpeechStream:
        """The stream of the speech."""
        self._stream = scheduler.begin(
            self.request, self.chains, progress=progress, early=self.early, trace=self.trace, patient=self.patient,
            keep_parts=self.keep_parts,
        )  # fmt: skip
        return self._stream

    def result(self) -> Spoken:
        """Its record, warnings and trace."""
        stream = self._stream
        if stream is None:
            raise ValueError("the speech hasn't begun")
        return Spoken(stream.record, stream.warnings, stream.trace(), stream.parts)


@dataclass
class CallWork:
    """A call of the engine that gives a result and no sound, such as a transcription."""

    call: Callable[[VallE, Progress], Any]
    _result: Any = None

    def begin(self, scheduler: Scheduler, progress: Progress) -> None:
        """Call it."""
        self._result = self.call(scheduler.engine, progress)

    def result(self) -> Any:  # noqa: ANN401 - the call's own
        """What the call returned."""
        return self._result


@dataclass(frozen=True)
class Hear:
    """The call for `CallWork` that transcribes a recording, in whatever process the engine is."""

    recording: Path | AudioClip
    how: HearingOptions
    chain: ChainRequest | None = None

    def __call__(self, engine: VallE, progress: Progress) -> Transcription:
        return engine.hear(self.recording, self.how, self.chain, progress=progress)


class JobRunner(Protocol):
    """What runs jobs: `Worker` in a thread, `Processes` in several processes."""

    failure: BaseException | None
    """Why the engine couldn't be loaded, or is gone."""

    @property
    def engine(self) -> VallE | None:
        """The engine, once it is loaded."""

    @property
    def ready(self) -> bool:
        """Whether it is loaded, and does something where there is something to do."""

    @property
    def busy(self) -> int:
        """How many jobs there are."""

    def start(self) -> None:
        """Begin to load."""

    def wait(self, timeout: float | None = None) -> bool:
        """Until the engine is loaded, or can't be; whether that is so."""

    def submit(self, job: EngineJob, ended: Callable[[EngineJob], None]) -> None:
        """Take on a job; `ended` is called in some thread when nothing more is made of it."""

    def close(self, timeout: float = 5.0) -> None:
        """End all jobs."""


class EngineJob:
    """One work in the queue or at the engine. Every method may be called from any thread.

    Whoever asked reads waves (`read`) and is told by `listen`'s callback when there is something new; the engine's
    thread writes. Of sound that isn't read at most 4 s wait.
    """

    def __init__(
        self,
        work: Work,
        *,
        owner: str = "",
        seed: int | None = None,
        unread: float | None = MOST_WAITING_SECONDS,
        whole: bool = False,
    ) -> None:
        """Make a job.

        Args:
            work: what is to be done.
            owner: the name of the key that asked.
            seed: the random seed that the work will use, if it uses any.
            unread: seconds of sound that may wait to be read; None for any length.
            whole: nothing of it is read before all of it is there, so that it can be done again at any time. Its sound
                may have any length.
        """
        self.work, self.owner, self.seed, self.whole = work, owner, seed, whole
        self.created = time.monotonic()
        self.started: float | None = None
        """When the engine began with it."""
        self.first: float | None = None
        """When the first wave was there."""
        self.ended: float | None = None
        self.state: State = "queued"
        self.result: Any = None
        self.error: BaseException | None = None
        self.underrun = 0.0
        """Seconds that a listener, who began with the first wave, would have waited for others."""
        self.cancelled_in: str | None = None
        """Where it was when it was cancelled: `queue`, `start` or `stream`."""
        self.unread = None if whole else unread
        """Seconds of sound that may wait; None for any length."""
        self._waves: deque[Wave] = deque()
        self._waiting = self._heard_until = 0.0
        self._lock = threading.Lock()
        self._told: Callable[[], None] | None = None
        self._made_room: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to end it early."""
        return self.cancelled_in is not None

    @property
    def finished(self) -> bool:
        """Whether nothing more is made. Waves may still wait to be read."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def has_room(self) -> bool:
        """Whether the engine may go on: little enough waits to be read."""
        return self.unread is None or self._waiting < self.unread

    def listen(self, told: Callable[[], None]) -> None:
        """Have `told` called, from any thread, whenever there is something new."""
        self._told = told
        told()

    def read(self) -> list[Wave]:
        """All waves that wait, in order; none where there is nothing new."""
        if self.whole and not self.finished:
            return []
        with self._lock:
            found = list(self._waves)
            self._waves.clear()
            self._waiting = 0.0
        if found and self._made_room is not None:
            self._made_room()
        return found

    def cancel(self) -> None:
        """End it at the next step; a job that has finished stays as it is."""
        if not self.finished and not self.cancelled:
            begun = "start" if self.first is None else "stream"
            self.cancelled_in = "queue" if self.state == "queued" else begun
        if self._made_room is not None:
            self._made_room()

    # what the engine's thread calls

    def begin(self, made_room: Callable[[], None]) -> None:
        """The engine takes it on; `made_room` is to be called when it may go on."""
        self._made_room = made_room
        self.started, self.state = time.monotonic(), "running"
        self._tell()

    def put(self, wave: Wave, sample_rate: int) -> None:
        """The next wave."""
        now, seconds = time.monotonic(), len(wave) / sample_rate
        with self._lock:
            self._waves.append(wave)
            self._waiting += seconds
        if self.first is None:
            self.first = self._heard_until = now
        self.underrun += max(0.0, now - self._heard_until)
        self._heard_until = max(now, self._heard_until) + seconds
        self._tell()

    def start_over(self) -> None:
        """What was made is lost: nobody has read it, and it is made again."""
        with self._lock:
            self._waves.clear()
            self._waiting = 0.0
        self.first, self.underrun = None, 0.0

    def end(self, state: State, *, result: Any = None, error: BaseException | None = None) -> None:  # noqa: ANN401 - the work's own
        """Nothing more is made."""
        self.result, self.error, self.ended = result, error, time.monotonic()
        self.state = state
        self._tell()

    def _tell(self) -> None:
        if self._told is not None:
            self._told()
