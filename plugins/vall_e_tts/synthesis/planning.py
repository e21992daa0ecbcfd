"""From a request to a plan: passes, chains, reference, and the text's parts are settled and checked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from vall_e_audio import NATURAL
from vall_e_core import UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import (
    advised_seconds,
    ar_only,
    check_version,
    fitting,
    language_id,
    plan_chain,
    require_task,
)

from . import limits
from .candidates import judges
from .cloning import is_strange, with_neutral
from .codes import require_finite_codes
from .ladder import ladder
from .listening import why_deaf
from .parts import TextPart, make_parts
from .passes import Passes, settle_passes, trim_prompt
from .plan import Prompt, SpeechPlan, Try, pace_of
from .takes import Wanted

if TYPE_CHECKING:
    from vall_e_core.sampling.running import ChainPlan

    from ..valle import VallE
    from .chains import Chains
    from .request import PreparedSpeech

SEPARATORS = 8
"""Tokens of a sequence that are neither text, nor reference, nor response: separators, language, tone; at most."""

Timed = Callable[[str], AbstractContextManager[None]]
"""Notes how long a stage takes."""



def plan_speech(
    engine: VallE,
    prepared: PreparedSpeech,
    asked: Mapping[str, ChainRequest],
    timed: Timed,
    chains: Chains,
    *,
    early: bool = False,
    traced: bool = False,
) -> SpeechPlan:
    """Settle how a request is spoken.

    Args:
        engine: what speaks.
        prepared: the request; its text has been read.
        asked: what was said about the chain of each stage.
        timed: notes how long encoding and splitting take.
        chains: builds them.
        early: parts are to be heard before they are whole, where that is possible.
        traced: what the chains do is noted.

    Raises:
        InputError: the text can't be said, or the reference not be used.
        UsageError: settings contradict each other or the model.
        ModelError: the model lacks something.
        DeviceError: not even one part fits into memory.
    """
    return _Planner(engine, prepared, asked, chains).plan(timed, early, traced)


class _Planner:
    """The steps on the way to a plan."""

    def __init__(
        self, engine: VallE, prepared: PreparedSpeech, asked: Mapping[str, ChainRequest], builder: Chains
    ) -> None:
        self.engine, self.prepared, self.asked, self.builder = engine, prepared, asked, builder
        self.options, self.task = prepared.request.options, prepared.task
        self.model, self.codec = engine.loaded.model, engine.codec
        self.warnings: list[str] = list(prepared.warnings)

    def plan(self, timed: Timed, early: bool, traced: bool) -> SpeechPlan:
        engine, prepared, options = self.engine, self.prepared, self.options
        require_task(engine.registry, engine.place, self.task.token or "tts", loaded=engine.loaded)
        known = engine.registry.samplers()
        advice = engine.loaded.advice
        chains = {stage: plan_chain(known, stage, self.asked.get(stage), advice) for stage in ("ar", "nar")}
        seed = secrets.randbits(31) if options.seed is None else options.seed
        passes = settle_passes(self.model, options, seed, ar_only(known, self.asked.get("ar")))
        self._settle_ar(chains, passes)
        deaf = why_deaf(engine, prepared, passes)
        found = judges(engine, options.scorer, options.candidates)
        for each in chains.values():
            self.warnings += each.warnings
        language = self._language()
        with timed("encode"):
            prompt = self._prompt(passes)
            pitch = self._pitch()
        with timed("text"):
            parts = make_parts(engine, prepared, self._lead(passes, prompt), self._budget(prompt))
        self.warnings += parts.warnings
        wanted = tuple(self._wanted(part, prompt, chains) for part in parts.items)
        self._warn_of_pace()
        rungs = ladder(chains["ar" if passes.modality == "ar" else "nar"], known)[: passes.max_tries]
        tries = tuple(Try(each.name, each.plan, self.builder.build(each.plan)) for each in rungs)
        whole = self._whole_only(passes, chains, parts.items, pitch, traced) if early else None
        passes = self._fitting(passes, tries, parts.items, wanted, prompt)
        if early and whole is None and deaf is None:
            deaf = "what has been heard can't be made again (--stream)"
            engine.notify(f"note: takes aren't listened to: {deaf}")
        if whole is not None:
            self.warnings.append(f"the speech is handed out part by part: {whole}")
        strange = deaf is None and is_strange(engine, prepared)
        if strange and passes.modality == "ar" and not passes.prefix:
            tries = with_neutral(engine, tries, passes.max_tries)
        if options.voice_fallback is not None and deaf is not None:
            self.warnings.append(f"--voice-fallback does nothing, for takes aren't listened to: {deaf}")
        return SpeechPlan(
            engine, prepared, passes, chains, tries, self.builder.build(chains["nar"]), tuple(found), language, prompt,
            pitch, tuple(parts.items), wanted, early and whole is None, deaf, strange, tuple(self.warnings),
        )  # fmt: skip

    def _settle_ar(self, chains: dict[str, ChainPlan], passes: Passes) -> None:
        """Leave the AR chain out where no AR pass is run."""
        if passes.modality == "ar":
            check_version(chains["ar"], self.model.config.version)
            return
        del chains["ar"]
        if "ar" in self.asked and self.asked["ar"].explicit is not None:
            self.warnings.append(
                "--sampler names the chain of the AR pass, and none is run; --nar-sampler names the levels' chain"
            )

    def _whole_only(
        self, passes: Passes, chains: Mapping[str, ChainPlan], parts: Sequence[TextPart], pitch: float | None,
        traced: bool,
    ) -> str | None:  # fmt: skip
        """Why parts can only be heard when they are whole, or None."""
        if passes.modality != "ar":
            return "level 0 is made at once (nar-len)"
        if self.model.config.version >= 7:
            return "the model chooses all levels of a frame at once"
        if passes.candidates > 1:
            return "of several candidates one is chosen"
        if passes.refine:
            return "--refine-on-stop looks at the whole"
        if traced:
            return "a trace is of whole parts"
        if any(pace_of(part, self.options.speed) != 1 for part in parts):
            return "another pace is given to whole parts"
        if pitch is not None:
            return "--follow-pitch listens to the whole"
        if chains["ar"].search is not None:
            return "a search chooses at its end"
        return None

    def _fitting(
        self, passes: Passes, tries: Sequence[Try], parts: Sequence[TextPart], wanted: Sequence[Wanted],
        prompt: Prompt | None,
    ) -> Passes:  # fmt: skip
        """The batch made smaller where its keys and values wouldn't fit into memory."""
        if passes.modality != "ar":
            return passes
        width = max((each.chain.width for each in tries), default=1)
        given = 0 if prompt is None else len(prompt.codes)
        longest = max(len(part.ids) for part in parts) + max(each.limit for each in wanted)
        rows = width * (1 if passes.ar_guidance is None else 2)
        fits = fitting(self.model, passes.batch_size, given + longest + SEPARATORS, rows)
        if fits < min(passes.batch_size, len(parts) * passes.candidates):
            self.warnings.append(
                f"{fits} utterances at the same time instead of {passes.batch_size}: no more fit into memory"
            )
        return replace(passes, batch_size=fits)

    def _warn_of_pace(self) -> None:
        slowest, fastest = NATURAL
        if not slowest <= self.options.speed <= fastest:
            self.warnings.append(
                f"speed {self.options.speed:g}: outside {slowest:g} to {fastest:g} stretched speech sounds unnatural"
            )

    def _pitch(self) -> float | None:
        if not self.options.follow_pitch or not self.task.imitates:
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

    def _prompt(self, passes: Passes) -> Prompt | None:
        references = self.prepared.references
        if not references:
            return None
        levels = self.engine.loaded.config.levels
        codes = torch.cat([each.codes(self.codec, self.warnings.append)[:, :levels] for each in references])
        device = next(self.model.parameters()).device
        codes = require_finite_codes(codes, self.codec.codebook_size).to(device)
        whole = len(codes)
        if self.task.imitates and not passes.prefix:
            frames = int(self.options.input_prompt_length * self.codec.frame_rate)
            codes = trim_prompt(codes, frames, repeat=self.options.input_prompt_repeat)
        rate = self.codec.frame_rate
        return Prompt(codes, self.prepared.reference_text or "", whole / rate, len(codes) / rate)

    def _lead(self, passes: Passes, prompt: Prompt | None) -> str | None:
        """The transcript that leads each part when the reference is the start of the response; None when it isn't.

        Empty: it isn't known, so the text has to begin with it.
        """
        if not passes.prefix:
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

    def _wanted(self, part: TextPart, prompt: Prompt | None, chains: Mapping[str, ChainPlan]) -> Wanted:
        rate = self.codec.frame_rate
        pace = self._pace(prompt)
        bound = limits.parse_bound(self.options.max_ar_steps)
        expected = limits.expected_seconds(part.phonemes, pace) * rate
        members = chains["ar"].active if "ar" in chains else ()
        least = max((each.least_seconds() for each in members), default=0.0)
        limit = limits.longest(part.phonemes, bound, rate, pace, least)
        return Wanted(expected, limit, bounded_by_user=bound.frames(rate) < limits.ROOM * expected)
