"""Errors as OpenAI's clients read them, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vall_e_core import DeviceError, InputError, ModelError, PluginError, UsageError, VallEError

from .admission import Refused

if TYPE_CHECKING:
    from starlette.responses import JSONResponse

LONGEST_MESSAGE = 1000
_PATH = re.compile(r"(?<![\w./:])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\'\",;:]+[/\\])+[^\s/\\'\",;:]*")
"""An absolute path with at least one folder in it."""
_REFUSALS = {
    "queue_full": (429, "rate_limit_error", "the server is busy: its queue is full"),
    "too_many_requests": (429, "rate_limit_error", "too many requests of this key are under way"),
    "loading": (503, "server_error", "the model is still being loaded"),
    "draining": (503, "server_error", "the server is about to end"),
}


class HttpError(Exception):
    """What a client is told instead of an answer."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Make an error.

        Args:
            status: HTTP's number.
            message: one line that says what, why, and what to try.
            code: a word for programs.
            param: the field that it is about.
            kind: OpenAI's `type`; from the status if absent.
            headers: to be sent with it.
        """
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.kind = kind or ("invalid_request_error" if status < 500 else "server_error")
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON object."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The answer."""
        from starlette.responses import JSONResponse

        return JSONResponse(self.body(), self.status, headers={**self.headers, "Cache-Control": "no-store"})


def line(error: VallEError) -> str:
    """What, why and what to try on one line, without paths of this machine."""
    parts = [error.message]
    if error.cause is not None:
        parts.append(error.cause)
    text = "; ".join(parts)
    if error.try_ is not None:
        text = f"{text}; try: {error.try_}"
    return redacted(" ".join(text.split()))[:LONGEST_MESSAGE]


def redacted(text: str) -> str:
    """A text in which paths have become the last name in them."""
    return _PATH.sub(lambda found: "…/" + re.split(r"[/\\]", found.group())[-1], text)


def told(error: BaseException, request_id: str, *, param: str | None = None) -> HttpError:
    """What a client is told of any error.

    Args:
        error: what was raised.
        request_id: under which the log has more of it.
        param: the field that a bad request is about, where it is known.
    """
    if isinstance(error, HttpError):
        return error
    if isinstance(error, Refused):
        status, kind, message = _REFUSALS[error.reason]
        return HttpError(
            status, f"{message}; try: again in {error.retry_after} s", code=error.reason, kind=kind,
            headers={"Retry-After": str(error.retry_after)},
        )  # fmt: skip
    if isinstance(error, DeviceError | MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return HttpError(
            503, "the server has no memory for this request", code="no_memory", headers={"Retry-After": "5"}
        )
    if isinstance(error, UsageError | InputError) or (
        isinstance(error, ModelError) and not isinstance(error, PluginError)
    ):
        return HttpError(400, line(error), code="bad_request", param=param)
    return HttpError(500, f"internal error; the server's log has more under {request_id}", code="internal_error")
