"""The tasks `tts`, text to speech in the voice of a reference, and `sweep`, the same with many settings, compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import Component, LazyCommand, LazyTask, hookimpl, lazy_names

from .speech_task import Speaking, SpeechTask

if TYPE_CHECKING:
    from .explain import explain_command
    from .options import SpeechOptions, VoiceOptions
    from .service.asynchronous import AsyncVallE
    from .service.job import CallWork, EngineJob, Hear, JobRunner, SpeechWork, Spoken
    from .service.process import LoadEngine, Setup
    from .service.processes import EngineLostError, Processes
    from .service.worker import Worker
    from .synthesis.missing import find_missing
    from .synthesis.request import SpeechRequest
    from .synthesis.results import Speech
    from .synthesis.scheduler import Scheduler
    from .synthesis.speakers import Speakers
    from .synthesis.stream import SpeechStream
    from .synthesis.writing import SpeechWriter, open_speech, write_speech
    from .valle import VallE
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".synthesis.writing": ("SpeechWriter", "open_speech", "write_speech"),
            ".service.asynchronous": ("AsyncVallE",),
            ".service.job": ("CallWork", "EngineJob", "Hear", "JobRunner", "SpeechWork", "Spoken"),
            ".service.process": ("LoadEngine", "Setup"),
            ".service.processes": ("EngineLostError", "Processes"),
            ".synthesis.speakers": ("Speakers",),
            ".service.worker": ("Worker",),
            ".synthesis.scheduler": ("Scheduler",),
            ".synthesis.stream": ("SpeechStream",),
            ".explain": ("explain_command",),
            ".options": ("SpeechOptions", "VoiceOptions"),
            ".synthesis.missing": ("find_missing",),
            ".synthesis.request": ("SpeechRequest",),
            ".synthesis.results": ("Speech",),
            ".valle": ("VallE",),
        },
    )


requires = ("stt", "trace", "voices")


@hookimpl
def vall_e_kinds() -> Iterable[type[Component]]:
    """The kind `speech_task`."""
    return [SpeechTask]


@hookimpl
def vall_e_speech_tasks() -> Iterable[type[SpeechTask]]:
    """Plain speech."""
    return [Speaking]


@hookimpl
def vall_e_tasks() -> Iterable[LazyTask]:
    return [
        LazyTask("tts", "Speak TEXT in the voice of REF and write it to OUT.", "vall_e_tts.task:Tts"),
        LazyTask("sweep", "Speak TEXT with many settings and rank them.", "vall_e_tts.task:Sweep"),
    ]


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `samplers explain`."""
    return [
        LazyCommand(
            "samplers explain", "show the chain that flags build", "vall_e_tts.explain:explain_command", json=True
        )
    ]


__all__ = [
    "AsyncVallE",
    "CallWork",
    "EngineJob",
    "EngineLostError",
    "Hear",
    "JobRunner",
    "LoadEngine",
    "Processes",
    "Scheduler",
    "Setup",
    "Speakers",
    "Speech",
    "SpeechOptions",
    "SpeechRequest",
    "SpeechStream",
    "SpeechTask",
    "SpeechWork",
    "SpeechWriter",
    "Spoken",
    "VallE",
    "VoiceOptions",
    "Worker",
    "explain_command",
    "find_missing",
    "open_speech",
    "write_speech",
]
