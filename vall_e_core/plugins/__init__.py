"""Plugins: found by their entry points, loaded with care, and kept in a registry."""

from __future__ import annotations

from ..errors import FAILURES
from ..streams import kept_stdout
from .loader import OURS, Collector, Found, Provided, check_component, describe, find, resolve_command, resolve_task
from .registry import BUILT_IN_COMMANDS, Registry

__all__ = [
    "BUILT_IN_COMMANDS", "FAILURES", "OURS", "Collector", "Found", "Provided", "Registry", "check_component",
    "describe", "find", "kept_stdout", "resolve_command", "resolve_task",
]  # fmt: skip
