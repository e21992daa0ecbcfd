"""What the server tells of itself: a program with its voices, and one that transcribes if something writes words."""

from __future__ import annotations

import asyncio

from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice

from vall_e_core import ModelError, __version__
from vall_e_stt import Speller, require_stt

from ..server import Server

SOON = 0.05
"""Seconds that a client may wait for a list of voices that is read anew, before it gets the last one."""
_BY = Attribution(name="vall-e", url="https://pypi.org/project/vall-e/")


class Program:
    """The answer to `describe`, which comes at once however busy the server is."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._last: Event | None = None
        self._reading: asyncio.Future[Event] | None = None

    async def event(self) -> Event:
        """The program and its voices, as they are now or were when they were last asked for."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._server.work(self._read))
            self._reading.add_done_callback(self._known)
        waiting = asyncio.shield(self._reading)
        return await (waiting if self._last is None else self._soon(waiting, self._last))

    async def _soon(self, waiting: asyncio.Future[Event], last: Event) -> Event:
        try:
            return await asyncio.wait_for(waiting, SOON)
        except asyncio.TimeoutError:
            return last

    def _known(self, reading: asyncio.Future[Event]) -> None:
        self._reading = None
        if not reading.cancelled() and reading.exception() is None:
            self._last = reading.result()

    def _read(self) -> Event:
        return Info(
            tts=[
                TtsProgram(
                    name="vall-e", attribution=_BY, installed=True, description="VALL-E speech", version=__version__,
                    voices=self._voices(), supports_synthesize_streaming=True,
                )
            ],
            asr=self._transcribers(),
        ).event()  # fmt: skip

    def _transcribers(self) -> list[AsrProgram]:
        """Clients expect words: without a speller there is none, nor with a model that can't transcribe."""
        spellers = self._server.registry.all(Speller).values()
        languages = sorted({language for each in spellers for language in each.languages})
        try:
            require_stt(self._server.engine)
        except ModelError:
            return []
        model = AsrModel(
            name="vall-e", attribution=_BY, installed=True, description="VALL-E transcription", version=__version__,
            languages=languages,
        )  # fmt: skip
        program = AsrProgram(
            name="vall-e", attribution=_BY, installed=True, description="VALL-E transcription", version=__version__,
            models=[model],
        )  # fmt: skip
        return [program] if languages else []

    def _voices(self) -> list[TtsVoice]:
        """The voices by their own names; what OpenAI's names stand for is among them."""
        return [
            TtsVoice(
                name=each["id"], attribution=_BY, installed=True, description=each["name"], version=None,
                languages=[each["language"]],
            )
            for each in self._server.catalog.listed()
            if each["source"] != "alias"
        ]  # fmt: skip
