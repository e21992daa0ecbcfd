"""One connection: what a client asks for, in order, and the sound that goes back while more text may come."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

from vall_e_stt import Transcription
from vall_e_tts import CallWork, EngineJob

from ..bodies import AUDIO_LIMIT
from ..delivery import JobWatch
from ..errors import HttpError, told
from ..server import Server, Visit, new_id
from ..sound import encoder
from ..speech import check, kept
from .events import BoundedReader, read_event
from .program import Program
from .recording import USUAL_LANGUAGE, SentAudio
from .sentences import SentenceBuffer

OWNER = "wyoming"
"""Whose requests these are: the protocol has no keys."""
SEED = 0
"""The protocol has no seed either. With one of our own equal texts sound equal."""
IDLE_SECONDS = 300.0
_WIDTH, _CHANNELS = 2, 1


@dataclass
class Speech:
    """One speech: text that is to be said, as far as it has come."""

    voice: str | None
    streamed: bool
    ssml: bool = False
    characters: int = 0
    ended: bool = False

    def __post_init__(self) -> None:
        self.texts: deque[str] = deque()
        self.buffer = SentenceBuffer()

    def add(self, piece: str) -> None:
        """More of the text."""
        self.characters += len(piece)
        self.texts += self.buffer.add(piece) if self.streamed and not self.ssml else [piece]

    def end(self) -> None:
        """There is no more of it."""
        self.texts += self.buffer.rest()
        self.ended = True

    def take(self) -> str:
        """All that can be said now; empty where there is nothing. Markup can be read only when it is whole."""
        if self.ssml and not self.ended:
            return ""
        found = ("" if self.ssml else "\n").join(self.texts)
        self.texts.clear()
        return found


class Conversation:
    """What happens on a connection. Speeches and transcriptions are made in turn; what comes is read meanwhile."""

    def __init__(
        self, server: Server, program: Program, reader: BoundedReader, writer: asyncio.StreamWriter
    ) -> None:  # fmt: skip
        self._server, self._program = server, program
        self._reader, self._writer = reader, writer
        self._waiting: deque[Speech | SentAudio] = deque()
        self._language = USUAL_LANGUAGE
        self._recording: SentAudio | None = None
        self._news, self._left = asyncio.Event(), asyncio.Event()
        self._saying = False

    async def run(self) -> None:
        """Until the client leaves, or something is wrong with what it sends."""
        speaking = asyncio.ensure_future(self._speak())
        try:
            await self._listen(speaking)
        finally:
            self._left.set()
            speaking.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await speaking

    async def _listen(self, speaking: asyncio.Future[None]) -> None:
        """Read events until there are no more."""
        reading = asyncio.ensure_future(read_event(self._reader))
        try:
            while True:
                both: set[asyncio.Future[Any]] = {reading, speaking}
                await asyncio.wait(both, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if speaking.done():
                    return
                if not reading.done():
                    if not self._saying:
                        return  # nothing is asked for, and nothing is under way
                    continue
                event = reading.result()
                if event is None:
                    return
                await self._take(event)
                reading = asyncio.ensure_future(read_event(self._reader))
        finally:
            reading.cancel()

    async def _take(self, event: Event) -> None:
        """Do what an event asks for, or have it done."""
        data = event.data
        last = self._waiting[-1] if self._waiting else None
        speech = last if isinstance(last, Speech) and last.streamed and not last.ended else None
        if Describe.is_type(event.type):
            await self._write(await self._program.event())
        elif Ping.is_type(event.type):
            await self._write(Pong(text=data.get("text")).event())
        elif SynthesizeStart.is_type(event.type):
            self._begin(data, streamed=True)
        elif SynthesizeChunk.is_type(event.type) and speech is not None:
            speech.add(str(data.get("text", "")))
        elif SynthesizeStop.is_type(event.type) and speech is not None:
            speech.end()
        elif Synthesize.is_type(event.type) and speech is None:  # within a stream it repeats what came in pieces
            whole = self._begin(data, streamed=False)
            whole.add(str(data.get("text", "")))
            whole.end()
        else:
            self._record(event)
        self._news.set()

    def _record(self, event: Event) -> None:
        """What an event says of a recording that is to be transcribed."""
        if Transcribe.is_type(event.type):
            language = event.data.get("language")
            self._language = language if isinstance(language, str) and language else USUAL_LANGUAGE
        elif AudioStart.is_type(event.type):
            waiting = sum(len(each.samples) for each in self._waiting if isinstance(each, SentAudio))
            self._recording = SentAudio(self._language, event.data, AUDIO_LIMIT - waiting)
        elif AudioChunk.is_type(event.type) and self._recording is not None:
            self._recording.add(event.payload or b"")
        elif AudioStop.is_type(event.type) and self._recording is not None:
            self._waiting.append(self._recording)
            self._recording = None

    def _begin(self, data: dict[str, Any], *, streamed: bool) -> Speech:
        """A speech in the voice that is asked for."""
        if self._waiting and isinstance(self._waiting[-1], Speech) and not self._waiting[-1].ended:
            self._waiting[-1].end()  # another begins: no more of it can come
        voice = data.get("voice")
        name = voice.get("name") if isinstance(voice, dict) else None
        speech = Speech(name if isinstance(name, str) else None, streamed, data.get("text_format") == "ssml")
        self._waiting.append(speech)
        return speech

    async def _speak(self) -> None:
        """Make the speeches in turn; the first that fails ends the connection."""
        try:
            while True:
                while not self._waiting:
                    await self._next_news()
                first = self._waiting[0]
                await (self._make(first) if isinstance(first, Speech) else self._transcribe(first))
                self._waiting.popleft()
        except (OSError, asyncio.CancelledError):
            raise
        except Exception as error:  # whatever it is, the client is told in one sentence and the log has more
            visit = new_id()
            failure = told(error, visit)
            self._server.log({"id": visit, "route": OWNER, "status": failure.status, "error": repr(error)})
            with suppress(OSError):
                await self._write(Error(text=failure.message, code=failure.code))

    async def _make(self, speech: Speech) -> None:
        """One speech: its start, its sound, its end."""
        rate = self._server.engine.codec.sample_rate
        await self._write(AudioStart(rate=rate, width=_WIDTH, channels=_CHANNELS))
        while True:
            if speech.characters > self._server.options.max_input_chars:
                most = self._server.options.max_input_chars
                raise HttpError(400, f"the text has more than {most} characters", code="too_long")
            ended = speech.ended
            if text := speech.take():
                self._saying = True
                await self._say(speech, text, rate)
                self._saying = False
            elif ended:
                break
            else:
                await self._next_news()
        await self._write(AudioStop())
        if speech.streamed:
            await self._write(SynthesizeStopped())

    async def _transcribe(self, recording: SentAudio) -> None:
        """The words of one recording."""
        server, visit = self._server, Visit(new_id(), key=OWNER, route=OWNER, format="text")
        self._saying = True
        try:
            call = await server.work(recording.call, server)
            visit.job = EngineJob(CallWork(call), owner=OWNER)
            server.admission.submit(visit.job)
            watch = JobWatch(server, visit.job, self._left.wait())
            try:
                await watch.next()
            finally:
                watch.close()
            heard: Transcription = visit.job.result
            await self._write(Transcript(text=heard.shown, language=recording.language))
            server.keep(visit, heard.record, None)
            server.log({"id": visit.id, "route": OWNER, "status": 200, "audio_seconds": round(heard.seconds, 3)})
        finally:
            self._saying = False

    async def _say(self, speech: Speech, text: str, rate: int) -> None:
        """The sound of some text, as it is made."""
        server, visit = self._server, Visit(new_id(), key=OWNER, route=OWNER, format="pcm")
        body = {
            "input": text, "voice": speech.voice or server.catalog.usual, "response_format": "pcm", "sample_rate": rate,
            "delivery": "pieces", "seed": SEED,
        }  # fmt: skip
        order = await server.work(check, server, body)
        visit.job = EngineJob(order.speaking, owner=OWNER, seed=SEED)
        server.admission.submit(visit.job)
        watch = JobWatch(server, visit.job, self._left.wait())
        writer = encoder("pcm", rate, rate)
        try:
            while waves := await watch.next():
                data = await server.work(writer.write, waves)
                await self._write(AudioChunk(audio=data, rate=rate, width=_WIDTH, channels=_CHANNELS))
            kept(server, visit, order, visit.job.result)
            server.log({"id": visit.id, "route": OWNER, "status": 200, "characters": len(text), **(visit.facts or {})})
        finally:
            watch.close()

    async def _next_news(self) -> None:
        if self._left.is_set():  # `wait_for` loses a cancellation that comes as it ends (Python 3.11)
            raise asyncio.CancelledError
        self._news.clear()
        await self._news.wait()

    async def _write(self, event: Event | Eventable) -> None:
        """Send an event. Raises OSError where the client takes nothing for too long."""
        sent = async_write_event(event if isinstance(event, Event) else event.event(), self._writer)
        try:
            await asyncio.wait_for(sent, self._server.options.stall_seconds)
        except asyncio.TimeoutError as error:
            raise ConnectionAbortedError("the client reads nothing") from error
