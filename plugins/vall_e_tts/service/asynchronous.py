"""`AsyncVallE`: one model that speaks for many coroutines at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..options import SpeechOptions
from ..synthesis.request import SpeechRequest
from ..synthesis.results import Speech
from ..valle import VallE
from .job import CallWork, EngineJob, SpeechWork, Spoken, Work
from .worker import Worker

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from vall_e_audio import Recording, Wave
    from vall_e_core import Sampler
    from vall_e_lm import Progress
    from vall_e_stt import Transcription
    from vall_e_voices import SavedVoice


class AsyncVallE:
    """As `VallE`, for an event loop: calls run side by side, in one thread that owns the model.

        async with AsyncVallE.load(rows=8) as engine:
            speech = await engine.synthesize("Hello there.", voice="heart", seed=1)
            async for wave in engine.stream("And this is heard at once.", voice="heart"):
                play(wave, engine.sample_rate)

    Equal calls give equal samples, whatever else runs. A call that is cancelled, or a stream that is left, ends at the
    model's next step.
    """

    def __init__(self, load: Callable[[], VallE], *, rows: int = 8) -> None:
        """
        Args:
            load: loads the model; called in the thread, when the engine is entered.
            rows: sentences that are written at the same time, at most.
        """
        self._worker = Worker(load, rows=rows)

    @classmethod
    def load(cls, model: str | Path | None = None, *, rows: int = 8, **settings: Any) -> Self:  # noqa: ANN401 - as VallE.load
        """One that loads a model when it is entered; everything but `rows` is as for `VallE.load`."""
        return cls(lambda: VallE.load(model, **settings), rows=rows)

    @property
    def engine(self) -> VallE:
        """The loaded model. Raises RuntimeError before it is entered."""
        if self._worker.engine is None:
            raise RuntimeError("the engine isn't loaded: enter it with `async with`")
        return self._worker.engine

    @property
    def sample_rate(self) -> int:
        """Of all waves, in Hz."""
        return self.engine.codec.sample_rate

    async def __aenter__(self) -> Self:
        self._worker.start()
        await asyncio.to_thread(self._worker.wait)
        if self._worker.failure is not None:
            raise self._worker.failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._worker.close)

    async def synthesize(
        self,
        text: str,
        references: Recording | Sequence[Recording] = (),
        **how: Any,  # noqa: ANN401 - as VallE.synthesize
    ) -> Speech:
        """Speak `text`; the arguments are those of `VallE.synthesize`, but for `progress`. Raises the same."""
        work = await asyncio.to_thread(self._prepared, text, references, patient=True, **how)
        job = self._begin(work)
        waves = [wave async for wave in self._waves(job)]
        spoken: Spoken = job.result
        wave = np.concatenate([*waves, np.zeros(0, np.float32)])
        return Speech(wave, self.sample_rate, spoken.parts, spoken.record, spoken.warnings, spoken.trace)

    async def stream(
        self,
        text: str,
        references: Recording | Sequence[Recording] = (),
        *,
        early: bool = True,
        **how: Any,  # noqa: ANN401 - as VallE.stream
    ) -> AsyncIterator[Wave]:
        """Waves [samples] that are handed out while the rest is made; the arguments are those of `VallE.stream`."""
        work = await asyncio.to_thread(self._prepared, text, references, early=early, **how)
        async for wave in self._waves(self._begin(work)):
            yield wave

    async def transcribe(self, audio: Recording, **how: Any) -> Transcription:  # noqa: ANN401 - as VallE.transcribe
        """The phonemes heard in `audio`; the arguments are those of `VallE.transcribe`, but for `progress`."""

        def call(engine: VallE, progress: Progress) -> Transcription:
            return engine.transcribe(audio, progress=progress, **how)

        job = self._begin(CallWork(call))
        async for _ in self._waves(job):
            """A transcription makes no sound."""
        found: Transcription = job.result
        return found

    def _prepared(
        self,
        text: str,
        references: Recording | Sequence[Recording],
        *,
        early: bool = False,
        patient: bool = False,
        voice: str | SavedVoice | None = None,
        sample_rate: int | None = None,
        reference_text: str | None = None,
        task: str = "tts",
        options: SpeechOptions | None = None,
        ar: Sequence[Sampler | str] | None = None,
        nar: Sequence[Sampler | str] | None = None,
        trace: bool = False,
        **settings: Any,  # noqa: ANN401 - SpeechOptions' own fields
    ) -> SpeechWork:
        """A request that has been checked, in whatever thread."""
        from vall_e_audio import recordings
        from vall_e_lm import settle_keywords

        engine = self.engine
        with engine.registry.blaming():
            chosen, chains = settle_keywords(
                options or SpeechOptions(), settings, "stream" if early else "synthesize", engine.registry,
                {"ar": ar, "nar": nar},
            )  # fmt: skip
            request = SpeechRequest(text, recordings(references, sample_rate), voice, reference_text, task, chosen)
            prepared = engine.speakers.prepare(request, notify=engine.notify)
        return SpeechWork(prepared, chains, early, trace, patient, keep_parts=patient)

    def _begin(self, work: Work) -> EngineJob:
        job = EngineJob(work, whole=isinstance(work, SpeechWork) and work.patient)
        self._worker.submit(job, _ignore)
        return job

    async def _waves(self, job: EngineJob) -> AsyncIterator[Wave]:
        """What a job makes, as it comes; whoever leaves cancels it. Raises what ended it."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def told() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(news.set)

        job.listen(told)
        try:
            while True:
                await news.wait()
                news.clear()
                over = job.finished
                for wave in job.read():
                    yield wave
                if over:
                    break
        finally:
            job.cancel()
        if job.error is not None:
            raise job.error


def _ignore(job: EngineJob) -> None:
    """Whoever waits for a job is told by it."""
