"""Bodies of requests, read with every limit counted while they arrive, and kept in memory only."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from .errors import HttpError

JSON_LIMIT = 1 << 20
UPLOAD_LIMIT = 10 << 20
AUDIO_LIMIT = 25 << 20
_FORM_ROOM = 256 << 10
"""Bytes of an upload beside the file: fields, headers, boundaries."""
_BASE64_LIMIT = UPLOAD_LIMIT // 3 * 4 + 1024
_MOST_PARTS = 64
_LONGEST_FIELD = 64 << 10
_DEEPEST = 32


async def read_body(request: Request, limit: int, stall_seconds: float) -> bytes:
    """The whole body.

    Raises:
        HttpError: 413 as soon as it is too long, 408 where the client stops sending.
    """
    declared = request.headers.get("content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > limit):
        raise _too_long(limit)
    data = bytearray()
    stream = request.stream().__aiter__()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), stall_seconds)
        except StopAsyncIteration:
            return bytes(data)
        except asyncio.TimeoutError:
            raise HttpError(408, "the body of the request didn't arrive", code="timeout") from None
        except ClientDisconnect:
            raise HttpError(499, "the client left", code="client_left") from None
        data += chunk
        if len(data) > limit:
            raise _too_long(limit)


def _too_long(limit: int) -> HttpError:
    return HttpError(413, f"the body is larger than {limit} bytes", code="too_large")


def content_type(request: Request) -> tuple[str, dict[str, str]]:
    """The media type of the body in lower case, and its parameters."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind.decode("latin-1").lower(), {
        key.decode("latin-1"): value.decode("latin-1") for key, value in options.items()
    }


async def read_json(request: Request, stall_seconds: float, *, large: str | None = None) -> dict[str, Any]:
    """The JSON object in the body, of at most 1 MiB.

    Args:
        request: the request.
        stall_seconds: how long the client may send nothing.
        large: a text in it that doesn't count: an upload in base64.

    Raises:
        HttpError: 415 for another type, 413, 400 for what isn't an object.
    """
    if content_type(request)[0] != "application/json":
        raise HttpError(415, "the body has to be application/json", code="wrong_type")
    data = await read_body(request, JSON_LIMIT + (0 if large is None else _BASE64_LIMIT), stall_seconds)
    try:
        found = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HttpError(400, "the body isn't JSON", code="bad_json") from error
    if not isinstance(found, dict) or _deeper(found, _DEEPEST):
        raise HttpError(400, "the body has to be a JSON object of usual depth", code="bad_json")
    text = found.get(large) if large is not None else None
    if len(data) - (len(text) if isinstance(text, str) else 0) > JSON_LIMIT:
        raise _too_long(JSON_LIMIT)
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _deeper(value: object, most: int) -> bool:
    """Whether something in `value` lies deeper than `most`."""
    level: list[object] = [value]
    for _ in range(most):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


@dataclass
class Form:
    """A multipart form: texts by name, in order, and files by name."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)

    def values(self, lists: Mapping[str, str]) -> dict[str, object]:
        """The texts as a body would have them; `lists` are names of fields that are lists, by the form's name."""
        found: dict[str, object] = {}
        for name, texts in self.texts.items():
            if name in lists:
                found[lists[name]] = texts
            elif len(texts) > 1:
                raise HttpError(400, f"{name} is given twice", code="bad_request", param=name)
            else:
                found[name] = texts[0]
        return found


@dataclass(frozen=True)
class Upload:
    """A file of a form. What it is called is only a name: nothing is ever opened by it."""

    name: str
    data: bytes


async def read_form(request: Request, stall_seconds: float, limit: int) -> Form:
    """The form in the body; no file in it may be larger than `limit` bytes.

    Raises:
        HttpError: 415 for another type, 413, 400 for a body that isn't a form.
    """
    kind, options = content_type(request)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise HttpError(415, "the body has to be multipart/form-data", code="wrong_type")
    data = await read_body(request, limit + _FORM_ROOM, stall_seconds)
    reader = _FormReader(limit)
    try:
        await asyncio.to_thread(reader.read, data, boundary.encode("latin-1"))
    except ValueError as error:
        raise HttpError(400, "the body isn't a multipart form", code="bad_form") from error
    if not reader.ended:
        raise HttpError(400, "the form is cut off", code="bad_form")
    return reader.form


class _FormReader:
    """Collects what the parser finds."""

    def __init__(self, limit: int) -> None:
        self.form, self.ended = Form(), False
        self._limit, self._parts = limit, 0
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._data = bytearray()

    def read(self, data: bytes, boundary: bytes) -> None:
        """All of a body."""
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin, "on_part_data": self._more, "on_part_end": self._part,
                "on_header_field": self._field, "on_header_value": self._content, "on_header_end": self._header,
                "on_end": self._end,
            },
        )  # fmt: skip
        parser.write(data)
        parser.finalize()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise HttpError(400, f"the form has more than {_MOST_PARTS} fields", code="bad_form")
        self._headers, self._data = {}, bytearray()

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]
        if len(self._data) > self._limit:
            raise _too_long(self._limit)

    def _part(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8")
        if kind != b"form-data" or not name:
            raise ValueError("a part without a name")
        file = options.get(b"filename")
        if file is not None:
            if name in self.form.files:
                raise HttpError(400, f"{name[:80]} is given twice", code="bad_request", param=name[:80])
            self.form.files[name] = Upload(file.decode("utf-8", "replace"), bytes(self._data))
            return
        if len(self._data) > _LONGEST_FIELD:
            raise _too_long(_LONGEST_FIELD)
        self.form.texts.setdefault(name, []).append(bytes(self._data).decode("utf-8"))

    def _end(self) -> None:
        self.ended = True


def data_url(text: str) -> bytes:
    """The bytes in a data URL. Its length is looked at before anything is decoded.

    Raises:
        HttpError: 413, or 400 for any other address: none is ever fetched.
    """
    head, comma, content = text.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise HttpError(
            400, "ref_audio isn't a data URL, and no address is ever fetched; try: data:audio/wav;base64,…",
            code="bad_value", param="ref_audio",
        )  # fmt: skip
    if len(content) > _BASE64_LIMIT:
        raise _too_long(UPLOAD_LIMIT)
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise HttpError(400, "ref_audio isn't base64", code="bad_value", param="ref_audio") from error
