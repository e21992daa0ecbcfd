"""JSON Schema of what a component declares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from vall_e_core import Component, Registry, param
from vall_e_schema import component_schema, file_schema


@dataclass(frozen=True)
class Plain(Component):
    """A parameter of each type."""

    name = "plain"
    base: float = param(1.75, min=1.0, exclusive_min=True, help="base of the exponent")
    length: int = param(2, min=0, max=100, unit="tokens", help="free repeats")
    mode: Literal["exact", "loose"] = param("exact", help="how to compare")
    way: str = param("far", choices=("far", "near"), help="which way")
    exempt: tuple[int, ...] = param((), min=0, help="ids that are free")
    bias: Mapping[int, float] = param({}, max=5.0, help="by id")
    trace: Path | None = param(None, help="where to write")
    size: int | None = param(None, min=1, help="how many")
    most: float = param(float("inf"), max=float("inf"), help="may be infinite")


@dataclass(frozen=True)
class Asking(Component):
    """One that needs a value."""

    name = "asking"
    high: int = param(help="upper end")


@pytest.mark.parametrize(
    ("key", "schema"),
    [
        ("base", {"type": "number", "exclusiveMinimum": 1.0, "description": "base of the exponent", "default": 1.75}),
        ("length", {"type": "integer", "minimum": 0, "maximum": 100, "description": "free repeats [tokens]",
                    "default": 2}),
        ("mode", {"type": "string", "enum": ["exact", "loose"], "description": "how to compare", "default": "exact"}),
        ("way", {"type": "string", "enum": ["far", "near"], "description": "which way", "default": "far"}),
        ("exempt", {"type": "array", "items": {"type": "integer", "minimum": 0}, "description": "ids that are free",
                    "default": []}),
        ("bias", {"type": "object", "additionalProperties": {"type": "number", "maximum": 5.0}, "description": "by id",
                  "default": {}}),
        ("trace", {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "where to write", "default": None}),
        ("size", {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "description": "how many",
                  "default": None}),
        ("most", {"type": "number", "description": "may be infinite", "default": "inf"}),
    ],
)  # fmt: skip
def test_each_type_of_parameter(key: str, schema: dict[str, Any]) -> None:
    assert component_schema(Plain)["properties"][key] == schema


def test_a_component_is_an_object_with_these_keys_and_no_others() -> None:
    schema = component_schema(Plain)
    json.dumps(schema, allow_nan=False)
    assert set(schema["properties"]) == {each.key for each in Plain.params()}
    assert schema["title"] == "plain" and schema["description"] == "A parameter of each type."
    assert schema["additionalProperties"] is False and "required" not in schema
    assert component_schema(Asking)["required"] == ["high"]


def test_a_file_takes_chains_and_flags_and_needs_none_of_them() -> None:
    registry = Registry.load(environ={}, third_party=False)
    schema = file_schema(registry.task("tts"), registry.samplers())
    json.dumps(schema, allow_nan=False)
    assert schema["required"] == [] and schema["additionalProperties"] is False
    assert schema["properties"]["sampler"]["type"] == "array"
    assert "default" not in schema["properties"]["top-p"], "an absent flag is off"
    assert schema["properties"]["max-tries"]["default"] == 3
