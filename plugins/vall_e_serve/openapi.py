"""`GET /openapi.json`: the routes, from the same declarations that check requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vall_e_core import Component, __version__
from vall_e_schema import component_schema, parameter_schema

from . import answers
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
_REQUEST = "$response.header.X-Request-Id"
_LEGACY = {
    "name": "legacy", "in": "query", "schema": answers.one_of("true", "false"),
    "description": "true: the names alone, as a list",
}  # fmt: skip
_PROBLEMS = {
    400: "the request isn't valid", 401: "no valid key", 403: "not allowed", 404: "not there",
    405: "not with this method", 408: "the body didn't arrive", 409: "the name is taken", 413: "too large",
    415: "another media type", 421: "another host", 429: "too many requests", 500: "a bug", 503: "not ready",
    504: "took too long",
}  # fmt: skip


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    visit_of(request).route = "/openapi.json"
    return JSONResponse(document(keyed=bool(Server.of(request).keys)))


def document(*, keyed: bool) -> dict[str, Any]:
    """OpenAPI 3.1 for all routes; `keyed`: they need a key."""
    sound: dict[str, Any] = {kind.partition(";")[0]: {} for kind in (*TYPES.values(), "text/event-stream")}
    heard = {**_shaped(answers.ANYTHING), "text/plain": {}, "text/event-stream": {}}
    speech = _operation("speak", "Speak a text", sound, _json(_speech()))
    speech["responses"]["200"] |= {
        "headers": {"X-Request-Id": {"schema": answers.TEXT}, "X-VallE-Seed": {"schema": answers.COUNT}},
        "links": {each: {"operationId": each, "parameters": {"id": _REQUEST}} for each in ("record", "trace")},
    }
    make = _operation(
        "makeVoice", "Make a voice of a recording", _shaped(answers.VOICE_MADE),
        _form(VoiceFields, "audio_sample", title="name"),
    )  # fmt: skip
    make["responses"]["200"]["links"] = {
        each: {"operationId": each, "parameters": {"id": "$response.body#/id"}} for each in ("hearVoice", "removeVoice")
    }
    ready = _operation("ready", "Whether requests are worked on", _shaped(answers.READY))
    ready["responses"]["503"]["content"] = _shaped(answers.NOT_READY)
    voices = _operation("listVoices", "List voices", _shaped(answers.VOICES))
    voices["parameters"] = [_LEGACY]
    found: dict[str, Any] = {
        "/v1/audio/speech": {"post": speech},
        "/v1/audio/speech/preview": {"post": _operation(
            "preview", "Show what will be said", _shaped(answers.PREVIEW), _json(_worded(_schema(PreviewFields)))
        )},
        "/v1/audio/transcriptions": {
            "post": _operation("transcribe", "Transcribe a recording", heard, _form(TranscriptionFields, "file"))
        },
        "/v1/audio/voices": {"get": voices, "post": make},
        "/v1/audio/voices/{id}": {
            "delete": _operation("removeVoice", "Remove a saved voice", _shaped(answers.VOICE_REMOVED))
        },
        "/v1/audio/voices/{id}/preview": {"get": _operation("hearVoice", "Hear a voice", {"audio/wav": {}})},
        "/v1/models": {"get": _operation("listModels", "List models", _shaped(answers.MODELS))},
        "/v1/models/{id}": {"get": _operation("model", "One model", _shaped(answers.MODEL))},
        "/v1/audio/models": {"get": _operation("listSpeechModels", "List models", _shaped(answers.MODELS))},
        "/v1/samplers": {"get": _operation("listSamplers", "List samplers", _shaped(answers.SAMPLERS))},
        "/v1/samplers/explain": {"post": _operation(
            "explain", "Explain a sampling chain", _shaped(answers.EXPLAINED), _json(_chained(ExplainFields))
        )},
        "/v1/audio/records/{id}": {
            "get": _operation("record", "The record of a request", _shaped(answers.SPEECH_RECORD))
        },
        "/v1/audio/records/{id}/trace": {"get": _operation("trace", "The trace of a request", _shaped(answers.TRACE))},
        "/health": {"get": _operation("health", "Whether the process answers", _shaped(answers.HEALTH))},
        "/ready": {"get": ready},
        "/metrics": {"get": _operation("metrics", "Metrics for Prometheus", {"text/plain": {}})},
        "/openapi.json": {"get": _operation("openapi", "This document", _shaped(answers.ANYTHING))},
    }  # fmt: skip
    for path, operations in found.items():
        if "{id}" in path:
            operations["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": answers.TEXT}]
    made: dict[str, Any] = {
        "openapi": "3.1.0", "info": {"title": "vall-e", "version": __version__}, "paths": found,
        "components": {"schemas": {"Error": _ERROR}},
    }  # fmt: skip
    if keyed:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
    return made


def _operation(
    name: str, summary: str, content: Mapping[str, Any], body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses: dict[str, Any] = {"200": {"description": "done", "content": dict(content)}}
    responses |= {str(code): {"description": text, "content": problem} for code, text in _PROBLEMS.items()}
    found: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    return found if body is None else {**found, "requestBody": dict(body)}


def _shaped(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An answer in JSON."""
    return {"application/json": {"schema": schema}}


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
