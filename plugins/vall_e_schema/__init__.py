"""JSON Schema (draft 2020-12) of a component's parameters and of a configuration file.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .made import component_schema, file_schema, parameter_schema
else:
    __getattr__, __dir__ = lazy_names(
        __name__, {".made": ("component_schema", "file_schema", "parameter_schema")}
    )  # fmt: skip

__all__ = ["component_schema", "file_schema", "parameter_schema"]
