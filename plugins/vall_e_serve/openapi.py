"""`GET /openapi.json`: the routes, from the same declarations that check requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vall_e_core import Component, __version__
from vall_e_schema import component_schema, parameter_schema

from .fields import ExplainFields, PreviewFields, SpeechFields, TranscriptionFields, VoiceFields
from .lexicon import SCHEMA
from .server import Server, visit_of
from .sound import TYPES

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}  # fmt: skip
_PROBLEMS = {
    400: "the request isn't valid", 401: "no valid key", 403: "not allowed", 404: "not there",
    408: "the body didn't arrive", 409: "the name is taken", 413: "too large", 415: "another media type",
    421: "another host", 429: "too many requests", 500: "a bug", 503: "not ready", 504: "took too long",
}  # fmt: skip


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    visit_of(request).route = "/openapi.json"
    return JSONResponse(document(keyed=bool(Server.of(request).keys)))


def document(*, keyed: bool) -> dict[str, Any]:
    """OpenAPI 3.1 for all routes; `keyed`: they need a key."""
    speech: dict[str, Any] = {kind.partition(";")[0]: {} for kind in (*TYPES.values(), "text/event-stream")}
    heard = {"application/json": {"schema": {"type": "object"}}, "text/plain": {}, "text/event-stream": {}}
    found: dict[str, Any] = {
        "/v1/audio/speech": {"post": _operation("Speak a text", speech, _json(_speech()))},
        "/v1/audio/speech/preview": {
            "post": _operation("Show what will be said", body=_json(_worded(_schema(PreviewFields))))
        },
        "/v1/audio/transcriptions": {
            "post": _operation("Transcribe a recording", heard, _form(TranscriptionFields, "file"))
        },
        "/v1/audio/voices": {
            "get": _operation("List voices"),
            "post": _operation("Make a voice of a recording", body=_form(VoiceFields, "audio_sample", title="name")),
        },
        "/v1/audio/voices/{id}": {"delete": _operation("Remove a saved voice")},
        "/v1/audio/voices/{id}/preview": {"get": _operation("Hear a voice", {"audio/wav": {}})},
        "/v1/models": {"get": _operation("List models")},
        "/v1/models/{id}": {"get": _operation("One model")},
        "/v1/audio/models": {"get": _operation("List models")},
        "/v1/samplers": {"get": _operation("List samplers")},
        "/v1/samplers/explain": {"post": _operation("Explain a sampling chain", body=_json(_chained(ExplainFields)))},
        "/v1/audio/records/{id}": {"get": _operation("The record of a request")},
        "/v1/audio/records/{id}/trace": {"get": _operation("The trace of a request")},
        "/health": {"get": _operation("Whether the process answers")},
        "/ready": {"get": _operation("Whether requests are worked on")},
        "/metrics": {"get": _operation("Metrics for Prometheus", {"text/plain": {}})},
        "/openapi.json": {"get": _operation("This document")},
    }
    for path, operations in found.items():
        if "{id}" in path:
            operations["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    made: dict[str, Any] = {
        "openapi": "3.1.0", "info": {"title": "vall-e", "version": __version__}, "paths": found,
        "components": {"schemas": {"Error": _ERROR}},
    }  # fmt: skip
    if keyed:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
    return made


def _operation(
    summary: str, content: Mapping[str, Any] | None = None, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answers: dict[str, Any] = {
        str(code): {"description": text, "content": problem} for code, text in _PROBLEMS.items()
    }
    good = {"application/json": {"schema": {"type": "object"}}} if content is None else dict(content)
    answers = {"200": {"description": "done", "content": good}, **answers}
    found: dict[str, Any] = {"summary": summary, "responses": answers}
    return found if body is None else {**found, "requestBody": dict(body)}


def _schema(kind: type[Component]) -> dict[str, Any]:
    """The JSON Schema of a request: field names as JSON has them, unknown fields ignored."""
    found: dict[str, Any] = component_schema(kind)
    shown = [each for each in kind.params() if not each.hidden]
    found.pop("$schema")
    found["properties"] = {each.name: parameter_schema(each) for each in shown}
    found["required"] = [each.name for each in shown if each.required]
    found["additionalProperties"] = True
    return found


def _chained(kind: type[Component]) -> dict[str, Any]:
    """With `samplers` as a list or by stage."""
    found = _schema(kind)
    specs = {"type": "array", "items": {"type": "string"}, "maxItems": 32}
    stages = {"type": "object", "properties": {"ar": specs, "nar": specs}, "additionalProperties": False}
    about = found["properties"]["samplers"]["description"]
    found["properties"]["samplers"] = {"anyOf": [specs, stages], "description": about}
    return found


def _speech() -> dict[str, Any]:
    found = _chained(SpeechFields)
    named = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    voice = found["properties"]["voice"]
    found["properties"]["voice"] = {"anyOf": [{"type": "string"}, named], "description": voice["description"]}
    return _worded(found)


def _worded(schema: dict[str, Any]) -> dict[str, Any]:
    """With `lexicon`, an object."""
    schema["properties"]["lexicon"] = dict(SCHEMA)
    return schema


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": dict(schema)}}}


def _form(kind: type[Component], file: str, **names: str) -> dict[str, Any]:
    """A form with a file; `names` are what fields are called in it, where that differs."""
    schema = _schema(kind)
    properties = {names.get(key, key): value for key, value in schema["properties"].items()}
    schema["properties"] = {**properties, file: {"type": "string", "format": "binary"}}
    schema["required"] = [*(names.get(each, each) for each in schema["required"]), file]
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
