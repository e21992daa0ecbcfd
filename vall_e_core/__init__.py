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
)
from .hookspecs import hookimpl
from .imports import without_torchaudio
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
from .protocols import (
    CodecModel,
    EngineModel,
    FinishedTake,
    JointJudgeModel,
    Judged,
    JudgeModel,
    NormalizerModel,
    PhonemizerModel,
    Recording,
    Replacement,
    ScorerModel,
    StepRecorder,
    StepRecording,
    Verdict,
)

if TYPE_CHECKING:
    from .atomic import write_atomic
    from .audio import AudioClip, AudioWriter, read_audio, read_windows, write_audio
    from .audio.bending import bent
    from .cache import cache_home, cached_model, sha256_file
    from .checkpoint import Loaded, inspect_model, load_model, save_model
    from .cli_task import TaskGroup
    from .codes import codebook_ids, mono_samples
    from .config import SamplerSpec
    from .console import Console
    from .download import DownloadError, fetch
    from .model import (
        Attend,
        Backbone,
        BaseModel,
        EarlyExit,
        Inputs,
        KVCache,
        Model,
        ModelConfig,
        Target,
        in_pieces,
    )
    from .output import OutputTarget, check_file, check_folder, check_output, write_json
    from .registry import Registry
    from .sampling import (
        Chain,
        ChainPlan,
        ChainState,
        Choice,
        GreedySelector,
        Noise,
        Search,
        Selector,
        StateContext,
        StatelessSelector,
        StatelessTransform,
        Step,
        Trace,
        Transform,
        chain_from_flags,
        compile_chain,
        continuations,
        cumulated_row,
        descending,
        descending_row,
        draw,
        draw_row,
        extend_matches,
        highest,
        highest_row,
        no_matches,
        recent,
        take_maximum,
        utterance_key,
    )
    from .session import Session
    from .synthesis.chains import ChainRequest, plan_chain
    from .synthesis.engine import VallE
    from .synthesis.hearing_options import HearingOptions
    from .synthesis.loading import find_model, require_task
    from .synthesis.model_options import ModelOptions
    from .synthesis.parts import Said, said_before
    from .synthesis.record import check_unchanged, read_record
    from .synthesis.request import SpeechRequest
    from .synthesis.results import Speech, Transcription
    from .synthesis.speech_options import SpeechOptions
    from .synthesis.stream import SpeechStream
    from .synthesis.voice import find_voice, make_voice, model_codec
    from .synthesis.writing import write_speech
    from .tensorfile import load_strictly, read_tensors, sha256_tensors
    from .tokenizer import Tokenizer
    from .voices import CodesOrigin, SavedVoice, VoiceFolder, check_voice_name, voices_home
    from .whole_file import read_whole

_LAZY: dict[str, str] = {
    "Console": ".console",
    "codebook_ids": ".codes",
    "mono_samples": ".codes",
    "Registry": ".registry",
    "SamplerSpec": ".config",
    "Session": ".session",
    "ModelOptions": ".synthesis.model_options",
    "SpeechOptions": ".synthesis.speech_options",
    "AudioClip": ".audio",
    "AudioWriter": ".audio",
    "TaskGroup": ".cli_task",
    "read_audio": ".audio",
    "read_windows": ".audio",
    "write_audio": ".audio",
    "bent": ".audio.bending",
    "cache_home": ".cache",
    "cached_model": ".cache",
    "sha256_file": ".cache",
    "DownloadError": ".download",
    "fetch": ".download",
    "Loaded": ".checkpoint",
    "inspect_model": ".checkpoint",
    "load_model": ".checkpoint",
    "save_model": ".checkpoint",
    "Attend": ".model",
    "Backbone": ".model",
    "in_pieces": ".model",
    "BaseModel": ".model",
    "EarlyExit": ".model",
    "Inputs": ".model",
    "KVCache": ".model",
    "Model": ".model",
    "ModelConfig": ".model",
    "Target": ".model",
    "Tokenizer": ".tokenizer",
    "Chain": ".sampling",
    "ChainPlan": ".sampling",
    "ChainState": ".sampling",
    "Choice": ".sampling",
    "GreedySelector": ".sampling",
    "Noise": ".sampling",
    "Search": ".sampling",
    "Selector": ".sampling",
    "StateContext": ".sampling",
    "StatelessSelector": ".sampling",
    "StatelessTransform": ".sampling",
    "Step": ".sampling",
    "Trace": ".sampling",
    "Transform": ".sampling",
    "chain_from_flags": ".sampling",
    "compile_chain": ".sampling",
    "continuations": ".sampling",
    "cumulated_row": ".sampling",
    "descending": ".sampling",
    "descending_row": ".sampling",
    "draw": ".sampling",
    "draw_row": ".sampling",
    "extend_matches": ".sampling",
    "highest": ".sampling",
    "highest_row": ".sampling",
    "no_matches": ".sampling",
    "recent": ".sampling",
    "take_maximum": ".sampling",
    "utterance_key": ".sampling",
    "OutputTarget": ".output",
    "check_output": ".output",
    "write_atomic": ".atomic",
    "write_json": ".output",
    "ChainRequest": ".synthesis.chains",
    "plan_chain": ".synthesis.chains",
    "VallE": ".synthesis.engine",
    "find_model": ".synthesis.loading",
    "require_task": ".synthesis.loading",
    "check_unchanged": ".synthesis.record",
    "read_record": ".synthesis.record",
    "read_whole": ".whole_file",
    "Said": ".synthesis.parts",
    "said_before": ".synthesis.parts",
    "SpeechRequest": ".synthesis.request",
    "Speech": ".synthesis.results",
    "SpeechStream": ".synthesis.stream",
    "write_speech": ".synthesis.writing",
    "Transcription": ".synthesis.results",
    "HearingOptions": ".synthesis.hearing_options",
    "check_file": ".output",
    "check_folder": ".output",
    "CodesOrigin": ".voices",
    "SavedVoice": ".voices",
    "VoiceFolder": ".voices",
    "check_voice_name": ".voices",
    "find_voice": ".synthesis.voice",
    "load_strictly": ".tensorfile",
    "make_voice": ".synthesis.voice",
    "model_codec": ".synthesis.voice",
    "read_tensors": ".tensorfile",
    "sha256_tensors": ".tensorfile",
    "voices_home": ".voices",
}
"""Public names that are resolved when first used, and the module that holds each."""

__version__ = "0.1.0"

__all__ = [
    "MISSING",
    "Attend",
    "AudioClip",
    "AudioWriter",
    "Backbone",
    "BaseModel",
    "BatchError",
    "BuildContext",
    "Chain",
    "ChainPlan",
    "ChainRequest",
    "ChainState",
    "CheckpointError",
    "Choice",
    "Codec",
    "CodecModel",
    "CodesOrigin",
    "Component",
    "ComponentError",
    "Console",
    "DeviceError",
    "DownloadError",
    "EarlyExit",
    "Engine",
    "EngineModel",
    "Figure",
    "FinishedTake",
    "Flag",
    "GreedySelector",
    "HearingOptions",
    "InputError",
    "Inputs",
    "JointJudgeModel",
    "Judge",
    "JudgeModel",
    "Judged",
    "KVCache",
    "LazyCommand",
    "Loaded",
    "Model",
    "ModelConfig",
    "ModelError",
    "ModelOptions",
    "ModelSource",
    "Noise",
    "Normalizer",
    "NormalizerModel",
    "OutputTarget",
    "Param",
    "Phonemizer",
    "PhonemizerModel",
    "PluginError",
    "Recording",
    "Registry",
    "RegressionError",
    "Replacement",
    "Said",
    "Sampler",
    "SamplerSpec",
    "SavedVoice",
    "Scorer",
    "ScorerModel",
    "Search",
    "Selector",
    "Session",
    "Speech",
    "SpeechOptions",
    "SpeechRequest",
    "SpeechStream",
    "StateContext",
    "StatelessSelector",
    "StatelessTransform",
    "Step",
    "StepRecorder",
    "StepRecording",
    "Target",
    "Task",
    "TaskGroup",
    "Tokenizer",
    "Trace",
    "Transcription",
    "Transform",
    "UsageError",
    "VallE",
    "VallEError",
    "Verdict",
    "Voice",
    "VoiceFolder",
    "__version__",
    "bent",
    "cache_home",
    "cached_model",
    "chain_from_flags",
    "check_file",
    "check_folder",
    "check_output",
    "check_unchanged",
    "check_voice_name",
    "codebook_ids",
    "compile_chain",
    "continuations",
    "cumulated_row",
    "descending",
    "descending_row",
    "draw",
    "draw_row",
    "extend_matches",
    "fetch",
    "find_model",
    "find_voice",
    "highest",
    "highest_row",
    "hookimpl",
    "in_pieces",
    "inspect_model",
    "load_model",
    "load_strictly",
    "make_voice",
    "model_codec",
    "mono_samples",
    "no_matches",
    "param",
    "plan_chain",
    "read_audio",
    "read_record",
    "read_tensors",
    "read_whole",
    "read_windows",
    "recent",
    "require_task",
    "said_before",
    "save_model",
    "sha256_file",
    "sha256_tensors",
    "take_maximum",
    "utterance_key",
    "voices_home",
    "without_torchaudio",
    "write_atomic",
    "write_audio",
    "write_json",
    "write_speech",
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
