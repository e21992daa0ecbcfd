"""Decoding: from a model, utterances and a sampler chain to codes, lengths and phonemes."""

from .ar import ArPass, generate_ar, stream_ar
from .demask import DEFAULT_GUIDANCE, Demasking, generate_nar_len
from .guidance import Guidance
from .length import predict_length
from .nar import generate_nar
from .stt import foreseen, transcribe
from .types import ArResult, Progress, SttResult, Utterance, continue_prompt, start_with

__all__ = [
    "DEFAULT_GUIDANCE",
    "ArPass",
    "ArResult",
    "Demasking",
    "Guidance",
    "Progress",
    "SttResult",
    "Utterance",
    "continue_prompt",
    "foreseen",
    "generate_ar",
    "generate_nar",
    "generate_nar_len",
    "predict_length",
    "start_with",
    "stream_ar",
    "transcribe",
]
