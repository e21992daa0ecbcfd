"""What the OpenAPI document says of answers that are well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT: Mapping[str, Any] = {"type": "string"}
NUMBER: Mapping[str, Any] = {"type": "number"}
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
FLAG: Mapping[str, Any] = {"type": "boolean"}
ANYTHING: Mapping[str, Any] = {"type": "object"}


def one_of(*values: str) -> dict[str, Any]:
    """One of these texts."""
    return {"type": "string", "enum": list(values)}


def maybe(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def items(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A list of it."""
    return {"type": "array", "items": dict(schema)}


def record(required: Mapping[str, Mapping[str, Any]], **more: Mapping[str, Any]) -> dict[str, Any]:
    """An object with `required` fields, and perhaps `more`."""
    properties = {name: dict(schema) for name, schema in {**required, **more}.items()}
    return {"type": "object", "required": list(required), "properties": properties}


_VOICE = record(
    {
        "id": TEXT, "name": TEXT, "object": one_of("audio.voice"), "source": one_of("saved", "packaged", "alias"),
        "language": maybe(TEXT), "seconds": maybe(NUMBER),
    },
    stands_for=TEXT,
)  # fmt: skip
VOICES = {
    "anyOf": [
        record({
            "object": one_of("list"), "voices": items(_VOICE), "data": items(_VOICE), "uploaded_voices": items(_VOICE),
        }),
        record({"voices": items(TEXT)}),
    ]
}  # fmt: skip
VOICE_MADE = record({
    "object": one_of("audio.voice"), "id": TEXT, "name": TEXT, "created_at": COUNT, "seconds": NUMBER,
    "warnings": items(TEXT),
})  # fmt: skip
VOICE_REMOVED = record({"object": one_of("audio.voice.deleted"), "id": TEXT, "deleted": FLAG})
PREVIEW = record({
    "object": one_of("audio.speech.preview"), "language": TEXT, "markup": TEXT, "spoken": TEXT, "phonemes": TEXT,
    "seconds": NUMBER,
    "parts": items(record({
        "text": TEXT, "spoken": TEXT, "phonemes": TEXT, "span": items(COUNT), "pause": maybe(NUMBER),
        "paragraph": FLAG, "rate": NUMBER,
    })),
    "unknown_phonemes": items(TEXT), "warnings": items(TEXT),
})  # fmt: skip
MODEL = record(
    {
        "id": TEXT, "name": TEXT, "object": one_of("model"), "created": COUNT, "owned_by": TEXT, "sha256": TEXT,
        "codec": TEXT, "sample_rate": COUNT, "quantize": TEXT, "dtype": TEXT, "same_bytes": FLAG,
    },
    alias_of=TEXT,
)  # fmt: skip
MODELS = record({"object": one_of("list"), "data": items(MODEL), "models": items(MODEL)})
SAMPLERS = record({
    "object": one_of("list"),
    "data": items(record({
        "id": TEXT, "summary": TEXT, "place": TEXT, "role": TEXT, "stages": items(TEXT), "schema": ANYTHING,
    })),
})  # fmt: skip
_MEMBER = record({"name": TEXT, "spec": TEXT, "parameters": ANYTHING, "does": TEXT}, off=TEXT)
_CHAIN = record({"members": items(_MEMBER), "chooser": TEXT, "warnings": items(TEXT)})
EXPLAINED = record({"ar": _CHAIN, "nar": _CHAIN})
SPEECH_RECORD = record({"text": TEXT, "phonemes": TEXT, "duration": NUMBER, "parts": items(ANYTHING)})
TRACE = record({"object": one_of("list"), "data": items(ANYTHING)})
HEALTH = record({"status": one_of("ok")})
READY = record({"status": one_of("ready")})
NOT_READY = record({"status": one_of("draining", "loading", "stuck")})
