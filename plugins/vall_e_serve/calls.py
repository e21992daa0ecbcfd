"""A call of the engine whose answer isn't sound."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from vall_e_tts import EngineJob

from .delivery import JobWatch, gone
from .server import Server


async def answer_of(server: Server, job: EngineJob, request: Request) -> Any:  # noqa: ANN401 - the call's own
    """The result of a submitted job; a client that leaves ends it.

    Raises:
        HttpError: 504 where it takes too long. And what the job failed with.
    """
    watch = JobWatch(server, job, gone(request.receive))
    try:
        await watch.next()
        return job.result
    finally:
        watch.close()
