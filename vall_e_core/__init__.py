"""vall-e: zero-shot text to speech and speech to text, in which everything a user sees is a plugin.

This module is the public API for plugin authors; beside it only `vall_e_core.testing` is public. Importing it imports
no torch: the names that need it are resolved when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .component import MISSING, BuildContext, Component, Flag, Param, param
from .errors import (
    BatchError,
    CheckpointError,
    ComponentError,
    DeviceError,
    InputError,
    ModelError,
    PluginError,
    RegressionError,
    UsageError,
    VallEError,
    did_you_mean,
    suggestion,
)
from .hookspecs import hookimpl
from .kinds import (
    Codec,
    Engine,
    Figure,
    Judge,
    LazyCommand,
    ModelSource,
    Normalizer,
    Phonemizer,
    Sampler,
    Scorer,
    Task,
    Voice,
)
from .lazy import lazy_names
from .owners import plugin_code
from .protocols import (
    CodecModel,
    FinishedTake,
    JointJudgeModel,
    Judged,
    JudgeModel,
    NormalizerModel,
    PhonemizerModel,
    Recording,
    Replacement,
    ScorerModel,
    Verdict,
)

if TYPE_CHECKING:
    from vall_e_tts import VallE

    from .cli_task import TaskGroup
    from .config import SamplerSpec
    from .console import Console, writing_stdout
    from .keywords import settle, with_fields
    from .plain_yaml import load_plain
    from .registry import Registry
    from .session import Session
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".cli_task": ("TaskGroup",),
            ".config": ("SamplerSpec",),
            ".console": ("Console", "writing_stdout"),
            ".keywords": ("settle", "with_fields"),
            ".plain_yaml": ("load_plain",),
            ".registry": ("Registry",),
            ".session": ("Session",),
            "vall_e_tts": ("VallE",),
        },
    )

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
    "Console",
    "DeviceError",
    "Engine",
    "Figure",
    "FinishedTake",
    "Flag",
    "InputError",
    "JointJudgeModel",
    "Judge",
    "JudgeModel",
    "Judged",
    "LazyCommand",
    "ModelError",
    "ModelSource",
    "Normalizer",
    "NormalizerModel",
    "Param",
    "Phonemizer",
    "PhonemizerModel",
    "PluginError",
    "Recording",
    "Registry",
    "RegressionError",
    "Replacement",
    "Sampler",
    "SamplerSpec",
    "Scorer",
    "ScorerModel",
    "Session",
    "Task",
    "TaskGroup",
    "UsageError",
    "VallE",
    "VallEError",
    "Verdict",
    "Voice",
    "__version__",
    "did_you_mean",
    "hookimpl",
    "lazy_names",
    "load_plain",
    "param",
    "plugin_code",
    "settle",
    "suggestion",
    "with_fields",
    "writing_stdout",
]
