"""Sound on its way to a client: whole, or while it is made; and what happens when the client is slow or gone."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Receive, Scope, Send

from vall_e_tts import EngineJob, Spoken

from .errors import HttpError, told
from .guard import BrokenOff
from .server import Server, Visit
from .sound import TYPES, encoded, encoder

if TYPE_CHECKING:
    from vall_e_audio import Wave

EVENTS = "text/event-stream"
_NOT_CACHED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class How:
    """How sound is delivered. It follows from the request alone, so that equal requests give equal bytes."""

    format: str
    rate: int
    whole: bool
    """At once, with its length; else in parts or pieces as they are made."""
    events: bool
    """In server-sent events."""


class JobWatch:
    """Waits for news of a job, and notices when its client leaves."""

    def __init__(self, server: Server, job: EngineJob, left: Coroutine[Any, Any, object]) -> None:
        """Wait for a job's news until it is over, or `left` is: that the client has gone."""
        self._server, self._job = server, job
        self._news = asyncio.Event()
        self._left = asyncio.ensure_future(left)
        self._until = job.created + server.options.request_seconds
        loop = asyncio.get_running_loop()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(self._news.set)

        job.listen(tell)

    def close(self) -> None:
        """Nobody waits any more; a job that isn't finished ends."""
        self._left.cancel()
        self._server.admission.leave(self._job)

    async def next(self) -> list[Wave]:
        """The next waves; none once the job has finished.

        Raises:
            HttpError: 504 where it takes too long; 499 where the client is gone. And what the job failed with.
        """
        while True:
            self._news.clear()
            waves = self._job.read()
            if waves:
                return waves
            if self._job.finished:
                waves = self._job.read()  # what came between the two looks
                if waves:
                    return waves
                self._raise_failure()
                return []
            await self._wait()

    async def _wait(self) -> None:
        queued = self._job.state == "queued"
        until = self._until
        if queued:
            until = min(until, self._job.created + self._server.options.queue_seconds)
        news = asyncio.ensure_future(self._news.wait())
        try:
            done, _ = await asyncio.wait(
                {news, self._left}, timeout=max(0.0, until - time.monotonic()), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            news.cancel()
        if self._left in done:
            raise HttpError(499, "the client left", code="client_left")
        if not done and (not queued or self._job.state == "queued"):
            where = "waited too long for its turn" if queued else "took too long"
            raise HttpError(504, f"the request {where}; try: again later, or a shorter text", code="timeout")

    def _raise_failure(self) -> None:
        if self._job.error is not None:
            raise self._job.error
        if self._job.state == "cancelled":
            raise HttpError(503, "the server is about to end", code="draining", headers={"Retry-After": "1"})


async def gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class SpeechResponse:
    """The response to a request for speech, as an ASGI application."""

    def __init__(
        self, server: Server, visit: Visit, job: EngineJob, how: How, headers: Mapping[str, str],
        finished: Callable[[Spoken], None], usage: Callable[[Spoken], Mapping[str, int]],
    ) -> None:  # fmt: skip
        """Make it.

        Args:
            server: where the job runs.
            visit: the request.
            job: has been submitted.
            how: the delivery.
            headers: to be sent.
            finished: is told of the finished speech.
            usage: counts its tokens, for the last event.
        """
        self._server, self._visit, self._job, self._how = server, visit, job, how
        self._headers = {**_NOT_CACHED, **headers}
        self._finished, self._usage = finished, usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = JobWatch(self._server, self._job, gone(receive))
        try:
            waves = await watch.next()
            if self._how.whole:
                await self._send_whole(watch, waves, send)
            else:
                await self._send_stream(watch, waves, send)
        finally:
            watch.close()

    async def _send_whole(self, watch: JobWatch, waves: list[Wave], send: Send) -> None:
        found = list(waves)
        while waves:
            waves = await watch.next()
            found += waves
        self._end()
        data = await self._server.work(encoded, found, self._how.format, self._codec_rate, self._how.rate)
        await self._start(send, {"Content-Length": str(len(data))})
        await self._body(send, data, more=False)

    async def _send_stream(self, watch: JobWatch, waves: list[Wave], send: Send) -> None:
        writer = await self._server.work(encoder, self._how.format, self._codec_rate, self._how.rate)
        await self._start(send, {})
        try:
            while waves:
                await self._piece(send, await self._server.work(writer.write, waves))
                waves = await watch.next()
            await self._piece(send, await self._server.work(writer.finish))
        except HttpError as error:
            await self._fail(send, error)
        except Exception as error:
            self._visit.note(error=f"{type(error).__name__}: {error}")
            await self._fail(send, told(error, self._visit.id))
        self._end()
        last = b""
        if self._how.events:
            last = _event({"type": "speech.audio.done", "usage": self._usage(self._job.result)})
        await self._body(send, last, more=False)

    @property
    def _codec_rate(self) -> int:
        return self._server.engine.codec.sample_rate

    def _end(self) -> None:
        self._finished(self._job.result)

    async def _fail(self, send: Send, error: HttpError) -> None:
        """After the first byte: an event where there are events, then the connection is broken off."""
        if self._how.events and error.status != 499:
            await self._body(send, _event({"type": "speech.audio.error", **error.body()}), more=True)
        raise BrokenOff

    async def _start(self, send: Send, more: Mapping[str, str]) -> None:
        how = self._how
        kind = TYPES[how.format]
        if how.format == "pcm":
            kind = f"{kind};rate={how.rate}"
        fields = {**self._headers, **more, "Content-Type": EVENTS if how.events else kind}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in fields.items()]
        await self._sent(send({"type": "http.response.start", "status": 200, "headers": raw}))

    async def _piece(self, send: Send, data: bytes) -> None:
        if not data:
            return
        if self._how.events:
            data = _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode("ascii")})
        await self._body(send, data, more=True)

    async def _body(self, send: Send, data: bytes, *, more: bool) -> None:
        message: Message = {"type": "http.response.body", "body": data, "more_body": more}
        await self._sent(send(message))

    async def _sent(self, sending: Awaitable[None]) -> None:
        """Wait until it is on its way. A client that reads nothing for too long is let go."""
        try:
            await asyncio.wait_for(sending, self._server.options.stall_seconds)
        except asyncio.TimeoutError:
            self._visit.note(stalled=True)
            raise BrokenOff from None


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


