"""The application: routes behind the guard."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import lists, page, voices
from .errors import HttpError
from .guard import STATIC, Guard
from .openapi import openapi
from .preview import ROUTE as PREVIEW
from .preview import preview
from .server import Server
from .speech import ROUTE as SPEECH
from .speech import speech
from .transcriptions import ROUTE as TRANSCRIPTIONS
from .transcriptions import transcriptions


def create_app(server: Server, wyoming: socket.socket | None = None) -> Starlette:
    """An ASGI application for a server. It starts the server's worker, and closes it at its end.

    Args:
        server: what the routes share.
        wyoming: where to take connections of the Wyoming protocol meanwhile.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        server.worker.start()
        try:
            async with AsyncExitStack() as stack:
                if wyoming is not None:
                    from .wyoming.listener import listening

                    await stack.enter_async_context(listening(server, wyoming))
                yield
        finally:
            server.close()

    app = Starlette(
        routes=[
            Route(SPEECH, speech, methods=["POST"]),
            Route(PREVIEW, preview, methods=["POST"]),
            Route(TRANSCRIPTIONS, transcriptions, methods=["POST"]),
            Route(voices.ROUTE, voices.listed, methods=["GET"]),
            Route(voices.ROUTE, voices.add, methods=["POST"]),
            Route(f"{voices.ROUTE}/{{id}}", voices.remove, methods=["DELETE"]),
            Route(f"{voices.ROUTE}/{{id}}/preview", voices.preview, methods=["GET"]),
            Route("/v1/models", lists.models, methods=["GET"]),
            Route("/v1/models/{id}", lists.model, methods=["GET"]),
            Route("/v1/audio/models", lists.models, methods=["GET"]),
            Route("/v1/samplers", lists.samplers, methods=["GET"]),
            Route("/v1/samplers/explain", lists.explain, methods=["POST"]),
            Route("/v1/audio/records/{id}", lists.record, methods=["GET"]),
            Route("/v1/audio/records/{id}/trace", lists.trace, methods=["GET"]),
            Route("/health", lists.health, methods=["GET"]),
            Route("/ready", lists.ready, methods=["GET"]),
            Route("/metrics", lists.metrics, methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/", page.index, methods=["GET"]),
            Route(f"{STATIC}{{name}}", page.static, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, server=server)],
        exception_handlers={404: _unknown, 405: _wrong_method},
        lifespan=lifespan,
    )
    app.state.server = server
    return app


async def _unknown(_request: Request, _error: Exception) -> Response:
    return HttpError(404, "there is no such route; try: GET /openapi.json", code="not_found").response()


async def _wrong_method(request: Request, _error: Exception) -> Response:
    path = request.scope["path"]
    here = (each for each in request.app.routes if isinstance(each, Route) and each.path_regex.match(path))
    taken = sorted({method for each in here for method in each.methods or ()})
    return HttpError(
        405, "the route doesn't take this method; try: GET /openapi.json", code="wrong_method",
        headers={"Allow": ", ".join(taken)},
    ).response()  # fmt: skip
