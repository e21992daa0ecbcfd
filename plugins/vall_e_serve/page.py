"""The page at `/`: files of this package, sent as they are, and the headers that keep anything else off the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from .errors import HttpError
from .server import visit_of

FOLDER = "page"
INDEX = "index.html"
_TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "json": "application/json", "svg": "image/svg+xml",
}  # fmt: skip
POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "media-src 'self' blob:", "worker-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
))  # fmt: skip
"""Nothing from elsewhere, no inline script or style, no string that becomes markup."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    data: bytes
    type: str
    tag: str
    """Changes with the content: the ETag."""


@cache
def page_files() -> Mapping[str, PageFile]:
    """The page's files by name. They are read once, so a request never names a path."""
    found = {}
    for each in files(__package__).joinpath(FOLDER).iterdir():
        kind = _TYPES.get(each.name.rpartition(".")[2])
        if kind is not None:
            data = each.read_bytes()
            found[each.name] = PageFile(data, kind, f'"{sha256(data).hexdigest()[:32]}"')
    return found


async def index(request: Request) -> Response:
    """The page."""
    visit_of(request).route = "/"
    return _answer(request, page_files()[INDEX])


async def static(request: Request) -> Response:
    """A file that the page asks for."""
    visit_of(request).route = "/static/{name}"
    file = page_files().get(request.path_params["name"])
    if file is None:
        raise HttpError(404, "the page has no such file", code="not_found")
    return _answer(request, file)


def _answer(request: Request, file: PageFile) -> Response:
    headers = {**HEADERS, "ETag": file.tag}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.data, media_type=file.type, headers=headers)
