"""vall-e: zero-shot text to speech and speech to text, in which everything a user sees is a plugin.

This module is the public API for plugin authors; beside it only `vall_e_core.testing` is public. Importing it imports
no torch: the names that need it are resolved when they are first used.
"""

from __future__ import annotations  # noqa: I001 - a name a line would be forty lines

from typing import TYPE_CHECKING

from .component import MISSING, BuildContext, Component, Flag, Param, param
from .errors import (
    BatchError, CheckpointError, ComponentError, DeviceError, InputError, ModelError, PluginError, RegressionError,
    UsageError, VallEError, did_you_mean, suggestion,
)  # fmt: skip
from .hooks import hookimpl
from .kinds import (
    Codec, CodecModel, Engine, FinishedTake, LazyCommand, LazyTask, ModelSource, Normalizer, NormalizerModel,
    Phonemizer, PhonemizerModel, Replacement, Sampler, Scorer, ScorerModel, Task, Voice,
)  # fmt: skip
from .lazy import lazy_names
from .owners import plugin_code

if TYPE_CHECKING:
    from vall_e_tts import VallE

    from .console import Console, writing_stdout
    from .plugins.registry import Registry
    from .run.session import Session
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".console": ("Console", "writing_stdout"),
            ".plugins.registry": ("Registry",),
            ".run.session": ("Session",),
            "vall_e_tts": ("VallE",),
        },
    )

__version__ = "0.2.0"

__all__ = [
    "MISSING", "BatchError", "BuildContext", "CheckpointError", "Codec", "CodecModel", "Component",
    "ComponentError", "Console", "DeviceError", "Engine", "FinishedTake", "Flag", "InputError", "LazyCommand",
    "LazyTask", "ModelError", "ModelSource", "Normalizer", "NormalizerModel", "Param", "Phonemizer", "PhonemizerModel",
    "PluginError", "Registry", "RegressionError", "Replacement", "Sampler", "Scorer", "ScorerModel", "Session",
    "Task", "UsageError", "VallE", "VallEError", "Voice", "__version__", "did_you_mean", "hookimpl", "lazy_names",
    "param", "plugin_code", "suggestion", "writing_stdout",
]  # fmt: skip
