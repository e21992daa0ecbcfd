"""What a component declares, as JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vall_e_core import Component, Param, Sampler, Task
from vall_e_core.run import task_options

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def component_schema(component: type[Component]) -> dict[str, Any]:
    """The schema of the mapping that a component's `from_mapping` takes."""
    schema: dict[str, Any] = {
        "$schema": DRAFT,
        "title": component.name,
        "description": component.summary(),
        "type": "object",
        "properties": {each.key: parameter_schema(each) for each in component.params()},
        "additionalProperties": False,
    }
    required = [each.key for each in component.params() if each.required]
    return {**schema, "required": required} if required else schema


def file_schema(task: type[Task], samplers: Iterable[type[Sampler]]) -> dict[str, Any]:
    """The schema of a configuration file for a task."""
    properties: dict[str, Any] = {}
    for option in task_options(task, samplers):
        schema = parameter_schema(option.param)
        schema["description"] = option.help
        if option.role == "flag":
            schema.pop("default", None)
        if option.role == "chain":
            schema = {"type": "array", "items": {"type": ["string", "object"]}, "description": option.help}
        properties[option.key] = schema
    return {**component_schema(task), "properties": properties, "required": []}


def parameter_schema(param: Param) -> dict[str, Any]:
    """The schema of one value, as YAML or JSON holds it."""
    item: dict[str, Any] = {"type": _TYPES[param.type.item]}
    choices = param.choices if param.choices is not None else param.type.choices
    if choices is not None:
        item["enum"] = list(choices)
    if param.min is not None and math.isfinite(param.min):
        item["exclusiveMinimum" if param.exclusive_min else "minimum"] = param.min
    if param.max is not None and math.isfinite(param.max):
        item["maximum"] = param.max
    schema = item
    if param.type.form == "list":
        schema = {"type": "array", "items": item}
    elif param.type.form == "map":
        schema = {"type": "object", "additionalProperties": item}
    if param.type.optional:
        schema = {"anyOf": [schema, {"type": "null"}]}
    schema["description"] = param.describe()
    if not param.required:
        schema["default"] = param.plain(param.default)
    return schema
