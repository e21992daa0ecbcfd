"""The language model: configuration, sequences, backbone, KV cache, early exit, heads."""

from .backbone import Attend, Backbone, in_pieces
from .base import BaseModel
from .cache import KVCache
from .config import LEN_STOP, PHONEME_BOS, PHONEME_EOS, TASK_IDS, ModelConfig
from .early_exit import EarlyExit, entropy_and_varentropy
from .model import Model
from .sequence import EmbeddedSequence, Inputs, Target, pad, pad_blocks
from .version7 import Model7

__all__ = [
    "LEN_STOP",
    "PHONEME_BOS",
    "PHONEME_EOS",
    "TASK_IDS",
    "Attend",
    "Backbone",
    "BaseModel",
    "EarlyExit",
    "EmbeddedSequence",
    "Inputs",
    "KVCache",
    "Model",
    "Model7",
    "ModelConfig",
    "Target",
    "entropy_and_varentropy",
    "in_pieces",
    "pad",
    "pad_blocks",
]
