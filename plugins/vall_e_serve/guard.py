"""What stands before every route: ids, hosts, origins, keys, errors, metrics and the log. Pure ASGI.

Starlette's BaseHTTPMiddleware would hide that a client has left, so this wraps `send` and leaves `receive` alone.
"""

from __future__ import annotations

import ipaddress
import time
import traceback
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vall_e_tts import EngineJob

from .admission import Refused
from .errors import HttpError, told
from .server import Server, Visit, new_id

OPEN = frozenset({"/health", "/ready", "/", "/openapi.json"})
"""Paths that need no key; `/` and what lies under `STATIC` are a page's."""
STATIC = "/static/"
LISTS = frozenset({"/v1/audio/voices", "/v1/audio/models", "/v1/models"})
"""What `--public-lists` lists without a key."""
_UNLOGGED = frozenset({"/health", "/ready", "/metrics", f"{STATIC}{{name}}"})
_METHODS = "GET, POST, DELETE"
_FEW_HEADERS = "authorization, content-type"
_SECONDS = 600


class BrokenOff(Exception):
    """Ends a response in the middle, so that no client takes half for whole."""


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app, self._server = app, server
        options = server.options
        self._hosts = {"localhost", "127.0.0.1", "::1", options.host.lower(), *map(str.lower, options.allow_host)}
        self._addresses = not is_loopback(options.host)
        """Whether any address may stand in `Host`: a page can only steer a name to this machine."""
        self._origins = frozenset(each.rstrip("/").lower() for each in options.cors)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        visit = Visit(new_id(), route=scope["path"] if scope["path"] in OPEN | LISTS else "")
        scope["vall_e.visit"] = visit
        headers = Headers(scope=scope)
        origin = headers.get("origin", "").rstrip("/").lower()
        began, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                fields = MutableHeaders(raw=list(message.get("headers", [])))
                fields["X-Request-Id"] = visit.id
                fields.setdefault("X-Content-Type-Options", "nosniff")
                if origin in self._origins:
                    fields["Access-Control-Allow-Origin"] = origin
                    fields["Access-Control-Expose-Headers"] = "X-Request-Id, X-VallE-Seed, X-VallE-Ignored, Retry-After"
                    fields.add_vary_header("Origin")
                message = {**message, "headers": fields.raw}
            await send(message)

        trace = None
        try:
            self._check(scope, headers, origin, visit)
            if scope["method"] == "OPTIONS" and origin:
                await answer({"type": "http.response.start", "status": 204, "headers": _preflight()})
                await answer({"type": "http.response.body", "body": b""})
            else:
                await self._app(scope, receive, answer)
        except BrokenOff:
            raise
        except Exception as error:
            found = told(error, visit.id)
            trace = traceback.format_exc() if found.status == 500 else None
            visit.note(error=found.code)
            if status:
                raise BrokenOff from None
            if isinstance(error, Refused):
                self._server.metrics.rejected.labels(error.reason).inc()
            await found.response()(scope, receive, answer)
        finally:
            self._note(visit, scope, status, time.monotonic() - began, trace)

    def _check(self, scope: Scope, headers: Headers, origin: str, visit: Visit) -> None:
        """Hosts, origins and keys. Raises HttpError."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) > 1 or not self._known(host):
            raise HttpError(
                421, "this server isn't called that; try: --allow-host NAME, when the server is started",
                code="unknown_host",
            )  # fmt: skip
        path = scope["path"]
        page = scope["method"] in ("GET", "HEAD") and (path in OPEN or path.startswith(STATIC))
        own = f"{scope['scheme']}://{host}".lower()
        if origin and origin != own and origin not in self._origins:
            raise HttpError(403, "web pages of other origins may not use this server", code="forbidden_origin")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not origin and not page:
            raise HttpError(403, "web pages of other origins may not use this server", code="forbidden_origin")
        if page or scope["method"] == "OPTIONS":
            return
        if self._server.keys and not (
            self._server.options.public_lists and path in LISTS and scope["method"] in ("GET", "HEAD")
        ):
            self._authenticate(headers, visit)

    def _authenticate(self, headers: Headers, visit: Visit) -> None:
        kind, _, presented = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            presented = headers.get("xi-api-key", "")
        key = self._server.keys.find(presented.strip())
        if key is None:
            raise HttpError(
                401, "a valid API key is needed; try: the header Authorization: Bearer KEY", code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        visit.key, visit.scopes = key.name, key.scopes

    def _known(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._hosts:
            return True
        return self._addresses and _is_address(name)

    def _note(self, visit: Visit, scope: Scope, status: int, seconds: float, trace: str | None) -> None:
        """Metrics and a line of the log. Routes that nobody has are counted as one."""
        server, job = self._server, visit.job
        if job is not None and job.cancelled_in is not None:
            server.metrics.cancelled.labels(job.cancelled_in).inc()
        server.metrics.requests.labels(visit.route or "other", visit.format, str(status)).inc()
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "id": visit.id, "key": visit.key,
            "method": scope["method"][:16], "route": visit.route or "other", "status": status,
            "seconds": round(seconds, 4),
        }  # fmt: skip
        if job is not None:
            entry |= _times(job)
            if job.first is not None:
                server.metrics.first.observe(job.first - job.created)
            if job.started is not None:
                server.metrics.queued.observe(job.started - job.created)
            server.metrics.whole.observe(seconds)
        entry |= visit.facts or {}
        if trace is not None:
            entry["trace"] = trace
        if visit.route not in _UNLOGGED:
            server.log(entry)


def _times(job: EngineJob) -> dict[str, object]:
    """How long a job waited, for its turn, its first sound and its end."""
    found: dict[str, object] = {"seed": job.seed, "state": job.state}
    for name, at in {"queue": job.started, "first": job.first, "end": job.ended}.items():
        found[f"ms_{name}"] = None if at is None else round(1000 * (at - job.created))
    if job.cancelled_in is not None:
        found["cancelled"] = job.cancelled_in
    return found


def _preflight() -> list[tuple[bytes, bytes]]:
    fields: Mapping[str, str] = {
        "Access-Control-Allow-Methods": _METHODS, "Access-Control-Allow-Headers": _FEW_HEADERS,
        "Access-Control-Max-Age": str(_SECONDS),
    }  # fmt: skip
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()]


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
