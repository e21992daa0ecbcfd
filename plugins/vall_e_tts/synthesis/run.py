"""One synthesis as it is settled before anything is said: options, passes, chains, reference, and the text's parts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vall_e_audio import NATURAL, Wave, at_pitch
from vall_e_core import BuildContext, InputError, ModelError, UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import (
    Utterance,
    advised_seconds,
    ar_only,
    check_version,
    fitting,
    language_id,
    plan_chain,
    require_finite,
    require_task,
)

from . import limits
from .candidates import identity, judges
from .ladder import ladder
from .listening import why_deaf
from .parts import TextPart, make_parts
from .passes import Clock, settle_passes, trim_prompt
from .takes import Wanted
from .traces import Traces, Use

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain, ChainPlan
    from vall_e_lm import Progress

    from ..valle import VallE
    from .request import PreparedSpeech

SLOWEST, FASTEST = 0.25, 4.0
"""Paces that can be made, as shares of the voice's own."""
SEPARATORS = 8
"""Tokens of a sequence that are neither text, nor reference, nor response: separators, language, tone; at most."""


@dataclass(frozen=True)
class Prompt:
    """The reference as the model sees it: codes [T, Q], and what they say."""

    codes: Tensor
    transcript: str
    seconds: float
    used_seconds: float


class Run:
    """What the stages of a synthesis share. Making one checks everything that can be checked before level 0 is made.

    Raises InputError where the text can't be said or the reference not be used, UsageError, ModelError.
    """

    def __init__(
        self,
        engine: VallE,
        prepared: PreparedSpeech,
        chains: Mapping[str, ChainRequest],
        progress: Progress | None,
        traces: Traces | None,
    ) -> None:
        self.began = time.perf_counter()
        self.traces = traces
        self.engine, self.prepared, self.progress = engine, prepared, progress
        self.request, self.options = prepared.request, prepared.request.options
        self.model, self.codec = engine.loaded.model, engine.codec
        require_task(engine.registry, engine.place, self.request.task, loaded=engine.loaded)
        self.seed = secrets.randbits(31) if self.options.seed is None else self.options.seed
        self.clock = Clock()
        self.warnings: list[str] = list(prepared.warnings)
        known = engine.registry.samplers()
        advice = engine.loaded.advice
        self.plans = {stage: plan_chain(known, stage, chains.get(stage), advice) for stage in ("ar", "nar")}
        self.passes = settle_passes(self.model, self.options, self.seed, ar_only(known, chains.get("ar")))
        if self.passes.modality == "ar":
            check_version(self.plans["ar"], self.model.config.version)
        else:
            del self.plans["ar"]
            if "ar" in chains and chains["ar"].explicit is not None:
                self.warnings.append(
                    "--sampler names the chain of the AR pass, and none is run; --nar-sampler names the levels' chain"
                )
        self.deaf = why_deaf(self)
        """Why takes aren't listened to; None where they are."""
        self.judges = judges(engine, self.options.scorer, self.options.candidates)
        for plan in self.plans.values():
            self.warnings += plan.warnings
        self.language = self._language()
        with self.clock("encode"):
            self.prompt = self._prompt()
            self.pitch = self._pitch()
        with self.clock("text"):
            parts = make_parts(engine, prepared, self._lead(self.prompt), self._budget(self.prompt))
        self.warnings += parts.warnings
        self.parts = parts.items
        self.wanted = [self._wanted(part, self.prompt) for part in parts.items]
        slowest, fastest = NATURAL
        if not slowest <= self.options.speed <= fastest:
            self.warnings.append(
                f"speed {self.options.speed:g}: outside {slowest:g} to {fastest:g} stretched speech sounds unnatural"
            )

    def plan_memory(self, width: int = 1) -> None:
        """Make the batch smaller where its keys and values, `width` rows for each utterance, wouldn't fit into memory.

        Raises DeviceError where one utterance's don't.
        """
        if self.passes.modality != "ar":
            return
        prompt = 0 if self.prompt is None else len(self.prompt.codes)
        longest = max(len(part.ids) for part in self.parts) + max(wanted.limit for wanted in self.wanted)
        rows = width * (1 if self.passes.ar_guidance is None else 2)
        asked = self.passes.batch_size
        fits = fitting(self.model, asked, prompt + longest + SEPARATORS, rows)
        if fits < min(asked, len(self.parts) * self.passes.candidates):
            self.warnings.append(f"{fits} utterances at the same time instead of {asked}: no more fit into memory")
        self.passes = replace(self.passes, batch_size=fits)

    def rate(self, part: int) -> float:
        """The pace at which a part is heard: what the text asks for, times `speed`."""
        return min(max(self.parts[part].said.rate * self.options.speed, SLOWEST), FASTEST)

    # what the passes are given

    def utterance(self, part: int, candidate: int = 0, *, own: bool = False) -> Utterance:
        """What level 0 of a part is made from; `own` without what leads the part, as the further levels take it."""
        device = next(self.model.parameters()).device
        given: Any = None
        if self.prompt is not None:
            given = self.prompt.codes if self.request.task == "tts" else [self.request.task, self.prompt.codes]
        ids = self.parts[part].own_ids if own else self.parts[part].ids
        return Utterance(identity(part, candidate), torch.tensor(list(ids), device=device), self.language, given)

    def rungs(self) -> list[tuple[str, Chain]]:
        """The chains of the tries of level 0, by name."""
        plan = self.plans["ar" if self.passes.modality == "ar" else "nar"]
        rungs = ladder(plan, self.engine.registry.samplers())[: self.passes.max_tries]
        return [(rung.name, self._chain(rung.plan, "level 0")) for rung in rungs]

    def levels_chain(self) -> Chain:
        """The chain of the further levels."""
        return self._chain(self.plans["nar"], "further levels")

    def decode(self, codes: Tensor) -> Wave:
        """The sound of codes [T, q], [samples]."""
        wave = self.codec.decode(codes.to(torch.long))
        found: Wave = require_finite(wave.float().reshape(-1), "codec").cpu().numpy().astype(np.float32)
        return found

    def sound(self, codes: Tensor) -> Wave:
        """The sound of a whole take's codes [T, q], with `follow_pitch` at the reference's pitch."""
        wave = self.decode(codes)
        if self.pitch is not None:
            wave, _ = at_pitch(wave, self.codec.sample_rate, self.pitch)
        return wave

    # how it is settled

    def _pitch(self) -> float | None:
        """Where speech is moved to, in Hz; None for nowhere."""
        if not self.options.follow_pitch or self.request.task != "tts":
            return None
        found = [each.pitch(self.codec) for each in self.prepared.references]
        known = [each for each in found if each is not None]
        if not known:
            self.warnings.append("--follow-pitch: no reference has a pitch to follow")
        return sum(known) / len(known) if known else None

    def _language(self) -> int | None:
        config = self.engine.loaded.config
        not_learnt = self.engine.not_learnt(self.prepared.language)
        if not_learnt is not None:
            self.warnings.append(
                f"{not_learnt}: what it says in {self.prepared.language} will hardly be understood"
            )
        row, known = language_id(self.prepared.language, config.langs)
        if not config.lang_mode:
            return None
        if not known:
            self.warnings.append(
                f"the model wasn't trained on the language {self.prepared.language}; it is told English"
            )
        return row

    def _prompt(self) -> Prompt | None:
        references = self.prepared.references
        if not references:
            return None
        levels = self.engine.loaded.config.levels
        codes = torch.cat([each.codes(self.codec, self.warnings.append)[:, :levels] for each in references])
        device = next(self.model.parameters()).device
        codes = require_finite_codes(codes, self.codec.codebook_size).to(device)
        whole = len(codes)
        if self.request.task == "tts" and not self.passes.prefix:
            frames = int(self.options.input_prompt_length * self.codec.frame_rate)
            codes = trim_prompt(codes, frames, repeat=self.options.input_prompt_repeat)
        rate = self.codec.frame_rate
        return Prompt(codes, self.prepared.reference_text or "", whole / rate, len(codes) / rate)

    def _lead(self, prompt: Prompt | None) -> str | None:
        """The transcript that leads each part when the reference is the start of the response; None when it isn't.

        Empty: it isn't known, so the text has to begin with it.
        """
        if not self.passes.prefix:
            return None
        if prompt is None:
            raise UsageError("--input-prompt-prefix needs a reference", try_="--ref FILE --ref-text TEXT")
        return prompt.transcript

    def _pace(self, prompt: Prompt | None) -> float:
        """Seconds that a letter takes: the reference's pace, where its words are known."""
        return limits.pace(self.prepared.reference_phonemes, 0.0 if prompt is None else prompt.seconds)

    def _budget(self, prompt: Prompt | None) -> float:
        """How long a part of the text may be, in seconds of ordinary reading; a slow reference takes longer for it."""
        bound = limits.parse_bound(self.options.max_ar_steps).frames(self.codec.frame_rate) / self.codec.frame_rate
        usual = advised_seconds(self.engine.loaded.advice, "segment-seconds", limits.USUAL_PART_SECONDS)
        slower = max(self._pace(prompt) / limits.SECONDS_PER_LETTER, 1.0)
        return max(min(bound / limits.ROOM, usual) / slower, limits.LEAST_PART_SECONDS)

    def _wanted(self, part: TextPart, prompt: Prompt | None) -> Wanted:
        rate = self.codec.frame_rate
        pace = self._pace(prompt)
        bound = limits.parse_bound(self.options.max_ar_steps)
        expected = limits.expected_seconds(part.phonemes, pace) * rate
        members = self.plans["ar"].active if "ar" in self.plans else ()
        least = max((each.least_seconds() for each in members), default=0.0)
        limit = limits.longest(part.phonemes, bound, rate, pace, least)
        return Wanted(expected, limit, bounded_by_user=bound.frames(rate) < limits.ROOM * expected)

    def _chain(self, plan: ChainPlan, use: Use) -> Chain:
        config = self.engine.loaded.config
        tokens = config.audio_tokens
        stops = plan.stage == "ar"
        ctx = BuildContext(
            self.engine.device.name, self.engine.options.dtype, threads=self.engine.threads,
            vocab_size=tokens + (stops or config.version >= 7), stop_token=tokens if stops else None,
            frame_rate=self.codec.frame_rate, stage=plan.stage, notify=self.engine.notify,
            component=self.engine.registry.get, owner=self.engine.registry.owner,
        )  # fmt: skip
        chain = plan.build(ctx)
        return chain if self.traces is None else chain.watched(self.traces.recorder(use, plan))


def require_finite_codes(codes: Tensor, size: int) -> Tensor:
    """`codes` [T, Q] of a reference, if there are any and all are codes. Raises InputError, ModelError."""
    if len(codes) == 0:
        raise InputError("the reference is too short for the codec", try_="a reference of 3-10 s")
    if int(codes.min()) < 0 or int(codes.max()) >= size:
        raise ModelError(f"the codec gave a code outside 0..{size - 1}")
    return codes
