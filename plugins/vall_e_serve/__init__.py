"""`vall-e serve`: speech and transcription over HTTP, in the shape of OpenAI's audio API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import LazyTask, hookimpl, lazy_names

if TYPE_CHECKING:
    from .admission import Admission, Bounds, Refused
    from .app import create_app
    from .server import Server
    from .task import PORT, Serve, ServeOptions
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".admission": ("Admission", "Bounds", "Refused"),
            ".app": ("create_app",),
            ".server": ("Server",),
            ".task": ("PORT", "Serve", "ServeOptions"),
        },
    )

requires = ("stt", "tts", "voices")
@hookimpl
def vall_e_tasks() -> Iterable[LazyTask]:
    return [
        LazyTask(
            "serve", "Serve speech over HTTP: OpenAI's audio API, with voices, seeds and sampling chains.",
            "vall_e_serve.task:Serve",
        ),
    ]


__all__ = [
    "PORT",
    "Admission",
    "Bounds",
    "Refused",
    "Serve",
    "ServeOptions",
    "Server",
    "create_app",
]
