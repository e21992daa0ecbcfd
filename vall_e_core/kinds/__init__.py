"""The kinds of component that a plugin can bring: what to subclass, and what `build` returns.

A file a kind. Importing one imports nothing heavy: `build` does that. A package may bring a kind of its own: see
`vall_e_kinds` in `vall_e_core.hooks`.
"""

from __future__ import annotations

from ..component import Component
from .codec import Codec, CodecModel
from .command import LazyCommand, LazyTask
from .engine import Engine
from .model import ModelSource
from .normalizer import Normalizer, NormalizerModel, Replacement
from .phonemizer import Phonemizer, PhonemizerModel
from .sampler import Sampler
from .scorer import FinishedTake, Scorer, ScorerModel
from .task import Task
from .voice import Voice

__all__ = [
    "KINDS", "Codec", "CodecModel", "Engine", "FinishedTake", "LazyCommand", "LazyTask", "ModelSource",
    "Normalizer", "NormalizerModel", "Phonemizer", "PhonemizerModel", "Replacement", "Sampler", "Scorer", "ScorerModel",
    "Task", "Voice",
]  # fmt: skip

KINDS: dict[str, type[Component]] = {
    kind.kind: kind for kind in (Sampler, Codec, Phonemizer, Normalizer, Task, ModelSource, Voice, Scorer, Engine)
}
"""The core's own kinds by name, in the order they are shown."""
