"""The OpenAPI document: answers have the shape that it says, and other methods are refused as HTTP has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from vall_e_core import Registry
from vall_e_serve.openapi import document

from .conftest import SlowEngine
from .running import Answer, Running, running

TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
    "null": type(None),
}  # fmt: skip


def wrong(value: Any, schema: Any, where: str = "") -> Iterator[str]:
    """Where a value isn't as a schema says: only the keywords that the document uses for answers."""
    if "anyOf" in schema:
        if all(list(wrong(value, each)) for each in schema["anyOf"]):
            yield f"{where}: none of {len(schema['anyOf'])}"
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    known = any(isinstance(value, TYPES[kind]) for kind in kinds)
    if not known or (isinstance(value, bool) and "boolean" not in kinds):
        yield f"{where}: {value!r:.60} is no {kinds}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r:.60}"
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from wrong(each, schema["items"], f"{where}[{at}]")
    elif isinstance(value, dict) and "properties" in schema:
        yield from (f"{where}.{name} is missing" for name in schema["required"] if name not in value)
        for name in schema["properties"].keys() & value.keys():
            yield from wrong(value[name], schema["properties"][name], f"{where}.{name}")


def checked(answer: Answer, path: str, method: str = "get", status: int = 200) -> Any:
    assert answer.status == status, answer.body[:300]
    content = document(keyed=False)["paths"][path][method]["responses"][str(status)]["content"]
    assert list(wrong(answer.json, content["application/json"]["schema"])) == []
    return answer.json


@pytest.fixture
def quick(registry: Registry, slow: SlowEngine) -> Iterator[Running]:
    """A server whose engine answers at once."""
    slow.release(1000)
    with running(registry, lambda: slow) as found:
        yield found


def test_answers_have_the_shape_that_the_document_says(quick: Running) -> None:
    for path in ("/v1/models", "/v1/audio/models", "/v1/samplers", "/v1/audio/voices", "/health", "/ready"):
        checked(quick.get(path), path)
    checked(quick.get("/v1/audio/voices?legacy=true"), "/v1/audio/voices")
    checked(quick.get("/v1/models/tts-1"), "/v1/models/{id}")
    text = {"input": "One. <p>Two [pause:1s] three.", "lexicon": {"two": "/tˈuː/"}}
    checked(quick.post("/v1/audio/speech/preview", text), "/v1/audio/speech/preview", "post")
    chain = {"samplers": {"ar": ["top-p:0.9", "dry:multiplier=0"], "nar": []}}
    found = checked(quick.post("/v1/samplers/explain", chain), "/v1/samplers/explain", "post")
    assert found["ar"]["members"][1]["off"]
    spoken = quick.speak()
    checked(quick.get(f"/v1/audio/records/{spoken.headers['x-request-id']}"), "/v1/audio/records/{id}")
    quick.server.admission.draining = True
    checked(quick.get("/ready"), "/ready", status=503)


@pytest.mark.slow
def test_voices_and_traces_have_the_shape_that_the_document_says(served: Running) -> None:
    spoken = served.speak(trace=True, seed=1)
    request = spoken.headers["x-request-id"]
    checked(served.get(f"/v1/audio/records/{request}"), "/v1/audio/records/{id}")
    assert checked(served.get(f"/v1/audio/records/{request}/trace"), "/v1/audio/records/{id}/trace")["data"]
    parts = [("name", None, b"mine"), ("consent", None, b"yes"), ("audio_sample", "a.wav", spoken.body)]
    checked(served.send_form("/v1/audio/voices", parts), "/v1/audio/voices", "post")
    assert checked(served.get("/v1/audio/voices"), "/v1/audio/voices")["uploaded_voices"]
    checked(served.ask("DELETE", "/v1/audio/voices/mine"), "/v1/audio/voices/{id}", "delete")


def test_every_operation_has_a_name_and_every_link_leads_to_one() -> None:
    paths = document(keyed=True)["paths"].values()
    operations = [each for path in paths for each in path.values() if "responses" in each]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    links = [link for each in operations for link in each["responses"]["200"].get("links", {}).values()]
    assert links and {each["operationId"] for each in links} <= set(names)


def test_a_refused_method_comes_with_those_that_are_taken(quick: Running) -> None:
    for path, allowed in (("/v1/audio/speech", {"POST"}), ("/v1/audio/voices", {"GET", "HEAD", "POST"})):
        answer = quick.ask("PATCH", path)
        assert answer.status == 405 and answer.error["code"] == "wrong_method"
        assert set(answer.headers["allow"].replace(",", " ").split()) == allowed
