"""vall-e: zero-shot text to speech and speech to text, in which everything a user sees is a plugin.

This module is the public API for plugin authors; beside it only `vall_e_core.testing` is public. Importing it imports
no torch: the names that need it are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .component import (
    MISSING,
    BuildContext,
    Codec,
    Component,
    Engine,
    Flag,
    LazyCommand,
    ModelSource,
    Param,
    Phonemizer,
    Sampler,
    Scorer,
    Task,
    Voice,
    param,
)
from .errors import (
    BatchError,
    CheckpointError,
    ComponentError,
    DeviceError,
    InputError,
    ModelError,
    PluginError,
    UsageError,
    VallEError,
)
from .hookspecs import hookimpl
from .imports import without_torchaudio
from .protocols import CodecModel, PhonemizerModel

if TYPE_CHECKING:
    pass

_LAZY: dict[str, str] = {}
"""Public names that are resolved when first used, and the module that holds each."""

__version__ = "0.1.0"

__all__ = [
    "MISSING",
    "BatchError",
    "BuildContext",
    "CheckpointError",
    "Codec",
    "CodecModel",
    "Component",
    "ComponentError",
    "DeviceError",
    "Engine",
    "Flag",
    "InputError",
    "LazyCommand",
    "ModelError",
    "ModelSource",
    "Param",
    "Phonemizer",
    "PhonemizerModel",
    "PluginError",
    "Sampler",
    "Scorer",
    "Task",
    "UsageError",
    "VallEError",
    "Voice",
    "__version__",
    "hookimpl",
    "param",
    "without_torchaudio",
]


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
