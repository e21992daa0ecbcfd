"""The phoneme error rate of a take, by the model's own transcription."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from vall_e_audio import AudioClip
from vall_e_core import BuildContext, FinishedTake, ModelError, UsageError
from vall_e_lm import Runtime
from vall_e_stt import HearingOptions, require_stt, transcribe


class SttModel:
    """Listens with the model that spoke."""

    def __init__(self, engine: Runtime) -> None:
        self._engine = engine

    @classmethod
    def of(cls, ctx: BuildContext) -> SttModel:
        """Raises ModelError where there is no model, or one that can't transcribe."""
        if ctx.engine is None:
            raise ModelError("the scorer stt needs a model to listen with")
        capabilities = ctx.engine.loaded.config.capabilities
        if "stt" not in capabilities:
            found = ", ".join(sorted(capabilities))
            raise ModelError("the scorer stt needs a model that can transcribe", cause=f"its capabilities: {found}")
        require_stt(ctx.engine)
        return cls(ctx.engine)

    def score(self, take: FinishedTake) -> float | None:
        """0 where every letter was heard, -1 where as many were wrong as there are; None for a text without letters."""
        wanted = letters(take.phonemes)
        if not wanted:
            return None
        clip = AudioClip(take.wave, take.sample_rate, "a take", False, take.sample_rate, 1, "array", "float32")
        heard = transcribe(self._engine, clip, listening(take.language))
        return -distance(wanted, letters(heard.phonemes)) / len(wanted)


def listening(language: str) -> HearingOptions:
    """How to listen to a language; to one that no model is conditioned on as it was spoken, as if it were English."""
    try:
        return HearingOptions(language=language)
    except UsageError:
        return HearingOptions()


def letters(phonemes: str) -> str:
    """The letters of IPA: no stress, length or tone marks, punctuation or spaces."""
    return "".join(char for char in phonemes if unicodedata.category(char) in ("Ll", "Lu", "Lo"))


def distance(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """How many insertions, deletions and replacements lead from one to the other (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, left in enumerate(wanted, 1):
        above, row[0] = row[0], i
        for j, right in enumerate(heard, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1]
