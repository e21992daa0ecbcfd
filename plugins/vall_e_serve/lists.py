"""What can be asked for without making anything: models, samplers, records, health, metrics."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vall_e_schema import component_schema

from .bodies import read_json
from .chains import explained, plans, read_chains, split_chains
from .errors import HttpError
from .fields import ExplainFields, read_fields
from .server import Server, require, visit_of
from .speech import MODEL_ALIASES, ignored_fields

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def _models(server: Server) -> list[dict[str, Any]]:
    engine = server.engine
    about = {
        "object": "model", "created": server.started, "owned_by": "vall-e", "sha256": engine.loaded.sha256,
        "codec": engine.codec.name, "sample_rate": engine.codec.sample_rate, "quantize": engine.options.quantize,
        "dtype": engine.options.dtype,
        "same_bytes": engine.options.quantize == "none" and engine.options.dtype == "float32",
    }  # fmt: skip
    label = engine.place.label
    aliases = [{"id": each, "name": each, "alias_of": label, **about} for each in MODEL_ALIASES]
    return [{"id": label, "name": label, **about}, *aliases]


async def models(request: Request) -> Response:
    """The model and its aliases, in OpenAI's shape and in Open WebUI's."""
    visit_of(request).route = request.url.path
    found = _models(Server.of(request))
    return JSONResponse({"object": "list", "data": found, "models": found})


async def model(request: Request) -> Response:
    """One model."""
    visit_of(request).route = "/v1/models/{id}"
    name = request.path_params["id"]
    for each in _models(Server.of(request)):
        if each["id"] == name:
            return JSONResponse(each)
    raise HttpError(404, f"no model is called {name[:80]!r}", code="model_not_found", param="model")


async def samplers(request: Request) -> Response:
    """Every sampler with the JSON Schema of its parameters."""
    from .chains import is_safe

    visit_of(request).route = "/v1/samplers"
    server = Server.of(request)
    allowed = server.options.allow_sampler
    found = [
        {
            "id": each.name, "summary": each.summary(), "place": each.place, "role": each.role,
            "stages": sorted(each.stages), "schema": component_schema(each),
        }
        for each in server.registry.samplers()
        if each.name in allowed or is_safe(server.registry, each)
    ]  # fmt: skip
    return JSONResponse({"object": "list", "data": found})


async def explain(request: Request) -> Response:
    """What a chain will do."""
    visit = require(request, "speak")
    visit.route = "/v1/samplers/explain"
    server = Server.of(request)
    body = await read_json(request, server.options.stall_seconds)
    fields, unknown = read_fields(ExplainFields, split_chains(body))
    ignored_fields(server, unknown)
    chains = read_chains(server.registry, server.options.allow_sampler, fields.samplers, fields.nar_samplers)
    loaded = server.engine.loaded
    found = plans(server.registry, chains, loaded.advice, loaded.config.version)
    return JSONResponse({stage: explained(plan) for stage, plan in found.items()})


async def record(request: Request) -> Response:
    """The record of a finished request of the same key."""
    return JSONResponse(_recorded(request, "/v1/audio/records/{id}")[0])


async def trace(request: Request) -> Response:
    """What the chains did at every step of a request that asked for it."""
    lines = _recorded(request, "/v1/audio/records/{id}/trace")[1]
    if lines is None:
        raise HttpError(404, 'no trace was asked for; try: "trace": true in the request', code="no_trace")
    return JSONResponse({"object": "list", "data": lines})


def _recorded(request: Request, route: str) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    visit = require(request, "speak")
    visit.route = route
    found = Server.of(request).records.get(request.path_params["id"])
    if found is None or found[0] != visit.key:
        raise HttpError(404, "no such record; the last 256 are kept", code="record_not_found")
    return found[1], found[2]


async def health(request: Request) -> Response:
    """That the process answers; nothing about the engine."""
    visit_of(request).route = "/health"
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether a request would be worked on now."""
    visit_of(request).route = "/ready"
    server = Server.of(request)
    if server.admission.ready:
        return JSONResponse({"status": "ready"})
    why = "draining" if server.admission.draining else "loading" if server.worker.engine is None else "stuck"
    return JSONResponse({"status": why}, 503, headers={"Retry-After": "2"})


async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    visit = require(request, "metrics")
    visit.route = "/metrics"
    return Response(Server.of(request).metrics.text(), media_type=_PROMETHEUS)
