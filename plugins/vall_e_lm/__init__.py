"""The language model: networks, checkpoints, decoding, and what it takes to run them on a device.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .chains import ar_only, check_version, plan_chain
    from .checkpoint.load import Loaded, codec_name, empty_model, inspect_model, load_model
    from .checkpoint.save import save_model
    from .deadline import Deadline, TimeLimitError
    from .decode.ar import ArPass, generate_ar, speech_job, stream_ar
    from .decode.demask import DEFAULT_GUIDANCE, Demasking, generate_nar_len
    from .decode.guidance import Guidance
    from .decode.length import predict_length
    from .decode.nar import generate_nar
    from .decode.nar_window import GrowingLevels, Schedule, Settled
    from .decode.rows import Written
    from .decode.sequences import joins
    from .decode.shared import SharedLoop
    from .decode.steppers import Job
    from .decode.stt import foreseen, transcribe
    from .decode.types import Progress, Utterance, continue_prompt
    from .device import (
        Device,
        check_threads,
        choose_device,
        require_own_process,
        set_library_defaults,
        suitable_threads,
        torch_state,
    )
    from .engine import EngineModel, StepRecorder, StepRecording
    from .engines import EAGER, adopt_engine, choose_engine
    from .finite import finite_states, require_finite
    from .keywords import Options, settle_keywords, with_fields
    from .languages import language_id, require_condition
    from .layer_skip import check_layer_skip, describe, early_exit, layer_skip_param
    from .loading import (
        ModelPlace,
        advised_seconds,
        build_codec,
        check_codec,
        find_codec,
        find_model,
        find_phonemizer,
        find_scorers,
        learnt_languages,
        listens,
        neutral_voice,
        require_task,
    )
    from .memory import fitting
    from .model.backbone import Attend, Backbone, in_pieces
    from .model.base import BaseModel
    from .model.cache import KVCache
    from .model.config import ModelConfig
    from .model.early_exit import EarlyExit
    from .model.model import Model
    from .model.sequence import Inputs, Target
    from .oom import in_batches, while_it_fits
    from .options import ModelOptions, parse_overrides
    from .progress import shown
    from .runtime import Runtime
    from .tokenizer import Tokenizer
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".keywords": ("Options", "settle_keywords", "with_fields"),
            ".chains": ("ar_only", "check_version", "plan_chain"),
            ".checkpoint.load": ("Loaded", "codec_name", "empty_model", "inspect_model", "load_model"),
            ".checkpoint.save": ("save_model",),
            ".deadline": ("Deadline", "TimeLimitError"),
            ".decode.ar": ("ArPass", "generate_ar", "speech_job", "stream_ar"),
            ".decode.demask": ("DEFAULT_GUIDANCE", "Demasking", "generate_nar_len"),
            ".decode.guidance": ("Guidance",),
            ".decode.length": ("predict_length",),
            ".decode.nar": ("generate_nar",),
            ".decode.nar_window": ("GrowingLevels", "Schedule", "Settled"),
            ".decode.rows": ("Written",),
            ".decode.sequences": ("joins",),
            ".decode.shared": ("SharedLoop",),
            ".decode.steppers": ("Job",),
            ".decode.stt": ("foreseen", "transcribe"),
            ".decode.types": ("Progress", "Utterance", "continue_prompt"),
            ".device": (
                "Device",
                "check_threads",
                "choose_device",
                "require_own_process",
                "set_library_defaults",
                "suitable_threads",
                "torch_state",
            ),
            ".engine": ("EngineModel", "StepRecorder", "StepRecording"),
            ".engines": ("EAGER", "adopt_engine", "choose_engine"),
            ".finite": ("finite_states", "require_finite"),
            ".languages": ("language_id", "require_condition"),
            ".layer_skip": ("check_layer_skip", "describe", "early_exit", "layer_skip_param"),
            ".loading": (
                "ModelPlace",
                "advised_seconds",
                "build_codec",
                "check_codec",
                "find_codec",
                "find_model",
                "find_phonemizer",
                "find_scorers",
                "learnt_languages",
                "listens",
                "neutral_voice",
                "require_task",
            ),
            ".memory": ("fitting",),
            ".model.backbone": ("Attend", "Backbone", "in_pieces"),
            ".model.base": ("BaseModel",),
            ".model.cache": ("KVCache",),
            ".model.config": ("ModelConfig",),
            ".model.early_exit": ("EarlyExit",),
            ".model.model": ("Model",),
            ".model.sequence": ("Inputs", "Target"),
            ".oom": ("in_batches", "while_it_fits"),
            ".options": ("ModelOptions", "parse_overrides"),
            ".progress": ("shown",),
            ".runtime": ("Runtime",),
            ".tokenizer": ("Tokenizer",),
        },
    )

__all__ = [
    "DEFAULT_GUIDANCE",
    "EAGER",
    "ArPass",
    "Attend",
    "Backbone",
    "BaseModel",
    "Deadline",
    "Demasking",
    "Device",
    "EarlyExit",
    "EngineModel",
    "GrowingLevels",
    "Guidance",
    "Inputs",
    "Job",
    "KVCache",
    "Loaded",
    "Model",
    "ModelConfig",
    "ModelOptions",
    "ModelPlace",
    "Options",
    "Progress",
    "Runtime",
    "Schedule",
    "Settled",
    "SharedLoop",
    "StepRecorder",
    "StepRecording",
    "Target",
    "TimeLimitError",
    "Tokenizer",
    "Utterance",
    "Written",
    "adopt_engine",
    "advised_seconds",
    "ar_only",
    "build_codec",
    "check_codec",
    "check_layer_skip",
    "check_threads",
    "check_version",
    "choose_device",
    "choose_engine",
    "codec_name",
    "continue_prompt",
    "describe",
    "early_exit",
    "empty_model",
    "find_codec",
    "find_model",
    "find_phonemizer",
    "find_scorers",
    "finite_states",
    "fitting",
    "foreseen",
    "generate_ar",
    "generate_nar",
    "generate_nar_len",
    "in_batches",
    "in_pieces",
    "inspect_model",
    "joins",
    "language_id",
    "layer_skip_param",
    "learnt_languages",
    "listens",
    "load_model",
    "neutral_voice",
    "parse_overrides",
    "plan_chain",
    "predict_length",
    "require_condition",
    "require_finite",
    "require_own_process",
    "require_task",
    "save_model",
    "set_library_defaults",
    "settle_keywords",
    "shown",
    "speech_job",
    "stream_ar",
    "suitable_threads",
    "torch_state",
    "transcribe",
    "while_it_fits",
    "with_fields",
]
