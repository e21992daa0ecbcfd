"""The language model: configuration, sequences, backbone, KV cache, early exit, heads."""

from .cache import KVCache
from .config import LEN_STOP, PHONEME_BOS, PHONEME_EOS, TASK_IDS, ModelConfig
from .early_exit import EarlyExit, entropy_and_varentropy
from .model import Model
from .sequence import EmbeddedSequence, Inputs, Target, pad, pad_blocks

__all__ = [
    "LEN_STOP",
    "PHONEME_BOS",
    "PHONEME_EOS",
    "TASK_IDS",
    "EarlyExit",
    "EmbeddedSequence",
    "Inputs",
    "KVCache",
    "Model",
    "ModelConfig",
    "Target",
    "entropy_and_varentropy",
    "pad",
    "pad_blocks",
]
