"""What is settled before anything is said: a value that nothing changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_audio import read_audio
from vall_e_core import Voice
from vall_e_lm import Utterance, neutral_voice

from .candidates import Judge, identity
from .parts import TextPart
from .passes import Passes
from .takes import Wanted

if TYPE_CHECKING:
    from vall_e_core import CodecModel
    from vall_e_core.sampling.running import Chain, ChainPlan
    from vall_e_lm import BaseModel

    from ..options import SpeechOptions
    from ..speech_task import SpeechTask
    from ..valle import VallE
    from .request import PreparedSpeech

SLOWEST, FASTEST = 0.25, 4.0
"""Paces that can be made, as shares of the voice's own."""

@dataclass(frozen=True)
class Prompt:
    """The reference as the model sees it: codes [T, Q], and what they say."""

    codes: Tensor
    transcript: str
    seconds: float
    used_seconds: float


@dataclass(frozen=True)
class Try:
    """A try of level 0: its name on the ladder, and its chain."""

    name: str
    plan: ChainPlan
    chain: Chain
    neutral: bool = False
    """Its prompt is the model's neutral voice instead of the reference."""


@dataclass(frozen=True, eq=False)
class SpeechPlan:
    """A synthesis that can begin: everything that could be checked has been. Nothing changes it."""

    engine: VallE
    prepared: PreparedSpeech
    passes: Passes
    chains: Mapping[str, ChainPlan]
    """By stage, those that are run."""
    tries: tuple[Try, ...]
    """How level 0 is tried, in order; the last one serves all further tries."""
    levels: Chain
    """That of the further levels."""
    judges: tuple[Judge, ...]
    language: int | None
    """The model's number for it; None where it isn't told."""
    prompt: Prompt | None
    pitch: float | None
    """Where speech is moved to, in Hz; None for nowhere."""
    parts: tuple[TextPart, ...]
    wanted: tuple[Wanted, ...]
    """What each part is expected to become."""
    early: bool
    """Parts are heard before they are whole."""
    deaf: str | None
    """Why takes aren't listened to; None where they are."""
    strange: bool
    """The voice may be one that the model can't speak with, and it listens: the first parts tell."""
    warnings: tuple[str, ...]

    @property
    def seed(self) -> int:
        """What determines all noise."""
        return self.passes.seed

    @property
    def options(self) -> SpeechOptions:
        """As they were given."""
        return self.prepared.request.options

    @property
    def task(self) -> SpeechTask:
        """What is done with text and reference."""
        return self.prepared.task

    @property
    def model(self) -> BaseModel:
        """The network."""
        return self.engine.loaded.model

    @property
    def codec(self) -> CodecModel:
        """What turns codes into sound."""
        return self.engine.codec

    @property
    def joins(self) -> bool:
        """Whether level 0 is written row by row, each for itself."""
        passes, model = self.passes, self.model
        special = passes.early_exit or passes.refine or (passes.ar_guidance and passes.ar_guidance.active())
        whole = model.config.version >= 7 or model.recorder is not None
        plain = self.prompt is None or isinstance(self.task.prompt(self.prompt.codes), Tensor)
        return passes.modality == "ar" and plain and not special and not whole

    def rate(self, part: int) -> float:
        """The pace at which a part is heard: what the text asks for, times `speed`."""
        return pace_of(self.parts[part], self.options.speed)

    def try_of(self, attempt: int) -> Try:
        """The try that an attempt, counted from 0, makes."""
        return self.tries[min(attempt, len(self.tries) - 1)]

    @cached_property
    def neutral(self) -> Tensor:
        """The codes [T, Q] of the model's neutral voice, as many as the reference has at most."""
        engine, prompt = self.engine, self.prompt
        assert prompt is not None
        voice = engine.registry.get(Voice.kind, neutral_voice(engine.registry, engine.place) or "")()
        assert isinstance(voice, Voice)
        wave = read_audio(voice.audio_path(), sample_rate=self.codec.sample_rate).tensor()
        return self.codec.encode(wave)[: len(prompt.codes), : prompt.codes.shape[1]].to(prompt.codes.device)

    def utterance(self, part: int, candidate: int = 0, *, own: bool = False, neutral: bool = False) -> Utterance:
        """What level 0 of a part is made from.

        Args:
            part: its number.
            candidate: which of several takes.
            own: without what leads the part, as the further levels take it.
            neutral: with the model's neutral voice for a prompt.
        """
        device = next(self.model.parameters()).device
        given = None if self.prompt is None else self.task.prompt(self.neutral if neutral else self.prompt.codes)
        ids = self.parts[part].own_ids if own else self.parts[part].ids
        return Utterance(identity(part, candidate), torch.tensor(list(ids), device=device), self.language, given)


def pace_of(part: TextPart, speed: float) -> float:
    """The pace at which a part is heard, as a share of the voice's own."""
    return min(max(part.said.rate * speed, SLOWEST), FASTEST)
