"""One synthesis from a prepared request to a wave and its record."""

from __future__ import annotations

import datetime
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from vall_e_core.component import BuildContext
from vall_e_core.decode import Utterance
from vall_e_core.errors import InputError, ModelError, UsageError
from vall_e_core.protocols import FinishedTake

from . import limits
from .candidates import Chosen, Spoken, alike, choose_each, identity, judges
from .chains import ChainRequest, ar_only, check_version, plan_chain
from .finite import require_finite
from .joining import Placed, Wave, join
from .ladder import ladder
from .languages import language_id
from .loading import advised_seconds
from .parts import TextPart, make_parts
from .record import FORMAT, versions
from .results import Part, Speech
from .speaking import Clock, describe_passes, further_levels, level0, settle_passes, trim_prompt
from .takes import Take, Wanted
from .traces import Traces, Use

if TYPE_CHECKING:
    from vall_e_core.decode import Progress
    from vall_e_core.sampling import Chain, ChainPlan

    from .engine import VallE
    from .request import PreparedSpeech


def make_speech(
    engine: VallE,
    prepared: PreparedSpeech,
    chains: Mapping[str, ChainRequest],
    progress: Progress | None,
    trace: bool = False,
    level0: Tensor | None = None,
) -> Speech:
    """Everything after the checks. Raises InputError where the text can't be said, VallEError where the model fails."""
    return _Synthesis(engine, prepared, chains, progress, Traces() if trace else None, level0).run()


@dataclass(frozen=True)
class _Prompt:
    """The reference as the model sees it: codes [T, Q], and what they say."""

    codes: Tensor
    transcript: str
    seconds: float
    used_seconds: float


class _Synthesis:
    """One run; what its stages share."""

    def __init__(
        self,
        engine: VallE,
        prepared: PreparedSpeech,
        chains: Mapping[str, ChainRequest],
        progress: Progress | None,
        traces: Traces | None,
        given: Tensor | None,
    ) -> None:
        self.traces, self.given = traces, given
        self.engine, self.prepared, self.progress = engine, prepared, progress
        self.request, self.options = prepared.request, prepared.request.options
        self.model, self.codec = engine.loaded.model, engine.codec
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
        self.judges = judges(engine, self.options.scorer, self.options.candidates)

    def run(self) -> Speech:
        began = time.perf_counter()
        for plan in self.plans.values():
            self.warnings += plan.warnings
        language = self._language()
        with self.clock("encode"):
            prompt = self._prompt()
        with self.clock("text"):
            parts = make_parts(self.engine, self.prepared, self._lead(prompt), self._budget(prompt))
        self.warnings += parts.warnings
        wanted = [self._wanted(part, prompt) for part in parts.items]
        rate = self.codec.frame_rate
        with torch.inference_mode():
            with self.clock("level 0"):
                items = [(i, n) for i in range(len(parts.items)) for n in range(self.passes.candidates)]
                asked = [self._utterance(i, n, parts.items[i].ids, language, prompt) for i, n in items]
                bounds = [wanted[i] for i, _ in items]
                takes = self._given(len(items))
                if takes is None:
                    takes = level0(self.model, asked, bounds, self._rungs(), self.passes, rate, self.progress)
            with self.clock("further levels"):
                said = [place for place, take in enumerate(takes) if take.verdict != "empty"]
                heard = [self._utterance(i, n, parts.items[i].own_ids, language, prompt) for i, n in items]
                codes = further_levels(
                    self.model, [heard[place] for place in said], [takes[place] for place in said],
                    self._chain(self.plans["nar"], "further levels"), self.passes, rate, self.progress,
                )  # fmt: skip
            with self.clock("decode"):
                spoken = {place: Spoken(each, self._decode(each)) for place, each in zip(said, codes, strict=True)}
        with self.clock("score"):
            chosen = choose_each(
                takes, spoken, self.judges,
                lambda part, take, sound: self._finished(parts.items[part], wanted[part], take, sound),
                parts=len(parts.items), warn=self.warnings.append,
            )  # fmt: skip
        if alike(chosen):
            self.warnings.append("all candidates are alike: the sampling chain draws nothing")
        wave, places = join([each.spoken.wave for each in chosen], self.codec.sample_rate, self.options.pause)
        done = self._parts(parts.items, chosen, places)
        self._warn_about(done)
        record = self._record(parts.text, language, prompt, done, wave, time.perf_counter() - began)
        log = None if self.traces is None else self.traces.log(self.plans, wanted, chosen, record)
        return Speech(wave, self.codec.sample_rate, done, record, tuple(self.warnings), log)

    # what goes in

    def _language(self) -> int | None:
        config = self.engine.loaded.config
        row, known = language_id(self.prepared.language, config.langs)
        if not config.lang_mode:
            return None
        if not known:
            self.warnings.append(
                f"the model wasn't trained on the language {self.prepared.language}; it is told English"
            )
        return row

    def _prompt(self) -> _Prompt | None:
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
        return _Prompt(codes, self.prepared.reference_text or "", whole / rate, len(codes) / rate)

    def _lead(self, prompt: _Prompt | None) -> str | None:
        """The transcript that leads each part when the reference is the start of the response; None when it isn't.

        Empty: it isn't known, so the text has to begin with it.
        """
        if not self.passes.prefix:
            return None
        if prompt is None:
            raise UsageError("--input-prompt-prefix needs a reference", try_="--ref FILE --ref-text TEXT")
        return prompt.transcript

    def _pace(self, prompt: _Prompt | None) -> float:
        """Seconds that a letter takes: the reference's pace, where its words are known."""
        return limits.pace(self.prepared.reference_phonemes, 0.0 if prompt is None else prompt.seconds)

    def _budget(self, prompt: _Prompt | None) -> float:
        """How long a part of the text may be, in seconds of ordinary reading; a slow reference takes longer for it."""
        bound = limits.parse_bound(self.options.max_ar_steps).frames(self.codec.frame_rate) / self.codec.frame_rate
        usual = advised_seconds(self.engine.loaded.advice, "segment-seconds", limits.USUAL_PART_SECONDS)
        slower = max(self._pace(prompt) / limits.SECONDS_PER_LETTER, 1.0)
        return max(min(bound / limits.ROOM, usual) / slower, limits.LEAST_PART_SECONDS)

    def _wanted(self, part: TextPart, prompt: _Prompt | None) -> Wanted:
        rate = self.codec.frame_rate
        pace = self._pace(prompt)
        bound = limits.parse_bound(self.options.max_ar_steps)
        expected = limits.expected_seconds(part.phonemes, pace) * rate
        members = self.plans["ar"].active if "ar" in self.plans else ()
        least = max((each.least_seconds() for each in members), default=0.0)
        limit = limits.longest(part.phonemes, bound, rate, pace, least)
        return Wanted(expected, limit, bounded_by_user=bound.frames(rate) < limits.ROOM * expected)

    def _utterance(
        self, part: int, candidate: int, ids: Sequence[int], language: int | None, prompt: _Prompt | None
    ) -> Utterance:
        device = next(self.model.parameters()).device
        given: Any = None
        if prompt is not None:
            given = prompt.codes if self.request.task == "tts" else [self.request.task, prompt.codes]
        return Utterance(identity(part, candidate), torch.tensor(list(ids), device=device), language, given)

    def _given(self, items: int) -> list[Take] | None:
        """Level 0 as it was handed in, or None where it is to be made."""
        if self.given is None:
            return None
        if items != 1 or self.passes.modality != "ar":
            raise UsageError(
                "level 0 can't be handed in here",
                cause="it is for one take of a text of one part, by a model that makes level 0 apart",
            )
        codes = require_finite_codes(self.given, self.engine.loaded.config.audio_tokens)
        return [Take(codes.to(next(self.model.parameters()).device, torch.long), "given", self.seed)]

    def _rungs(self) -> list[tuple[str, Chain]]:
        plan = self.plans["ar" if self.passes.modality == "ar" else "nar"]
        rungs = ladder(plan, self.engine.registry.samplers())[: self.passes.max_tries]
        return [(rung.name, self._chain(rung.plan, "level 0")) for rung in rungs]

    def _chain(self, plan: ChainPlan, use: Use) -> Chain:
        config = self.engine.loaded.config
        tokens = config.audio_tokens
        stops = plan.stage == "ar"
        ctx = BuildContext(
            self.engine.device.name, self.engine.options.dtype, threads=self.engine.threads,
            vocab_size=tokens + (stops or config.version >= 7), stop_token=tokens if stops else None,
            frame_rate=self.codec.frame_rate, stage=plan.stage, notify=self.engine.notify,
            component=self.engine.registry.get,
        )  # fmt: skip
        chain = plan.build(ctx)
        return chain if self.traces is None else chain.watched(self.traces.recorder(use, plan))

    # what comes out

    def _decode(self, codes: Tensor) -> Wave:
        wave = self.codec.decode(codes.to(torch.long))
        found: Wave = require_finite(wave.float().reshape(-1), "codec").cpu().numpy().astype(np.float32)
        return found

    def _finished(self, text: TextPart, wanted: Wanted, take: Take, spoken: Spoken) -> FinishedTake:
        rate = self.codec.frame_rate
        return FinishedTake(
            text.text, text.phonemes, self.prepared.language, spoken.codes, spoken.wave, self.codec.sample_rate, rate,
            wanted.expected / rate, take.stop_reason, take.verdict, take.log_probability,
        )  # fmt: skip

    def _parts(self, texts: Sequence[TextPart], chosen: Sequence[Chosen], places: Sequence[Placed]) -> list[Part]:
        rate = self.codec.sample_rate
        return [
            Part(
                text.text, text.phonemes, each.spoken.codes.cpu(), place.start / rate, place.length / rate,
                place.pause / rate, take.stop_reason, take.seed, take.tries, take.verdict, take.findings,
                take.log_probability, take.refined, take.alternative_log_probability, take.degenerate,
                each.record() if self.judges or len(each.candidates) > 1 else (), take.rung,
            )
            for text, each, place in zip(texts, chosen, places, strict=True)
            for take in (each.take,)
        ]  # fmt: skip

    def _warn_about(self, parts: Sequence[Part]) -> None:
        for i, part in enumerate(parts):
            where = f"part {i + 1} of {len(parts)}" if len(parts) > 1 else "the speech"
            tried = f"after {part.tries} tries" if part.tries > 1 else "at the first try"
            self.warnings += [f"{where} {finding} ({tried})" for finding in part.findings]
            if part.degenerate:
                self.warnings.append(
                    f"{where}: the sampling chain left no token at {part.degenerate} steps; the likeliest was taken"
                )

    def _record(
        self, text: str, language: int | None, prompt: _Prompt | None, parts: Sequence[Part], wave: Wave, spent: float
    ) -> dict[str, Any]:
        engine, loaded = self.engine, self.engine.loaded
        seconds = len(wave) / self.codec.sample_rate
        refined = [part.refined for part in parts if part.refined is not None]
        return {
            "format": FORMAT, "task": self.request.task, "text": text, "language": self.prepared.language,
            "language_id": language, "phonemes": " ".join(part.phonemes for part in parts),
            "phonemizer": self.prepared.phonemizer.name, "characters_removed": self.prepared.removed, "seed": self.seed,
            "modality": self.passes.modality,
            "stop_reason": next((p.stop_reason for p in parts if p.stop_reason == "length"), parts[0].stop_reason),
            "refined": refined[0] if len(set(refined)) == 1 else refined or None,
            "tries": max(part.tries for part in parts), "duration": round(seconds, 6),
            "parts": [part.record(i) for i, part in enumerate(parts)],
            "references": [each.record() for each in self.prepared.references],
            "prompt": None if prompt is None else {
                "frames": len(prompt.codes), "seconds": round(prompt.used_seconds, 6),
                "transcript": prompt.transcript or None,
            },
            "scorers": [each.scorer.to_spec() for each in self.judges],
            "samplers": {stage: plan.record() for stage, plan in self.plans.items()},
            "passes": describe_passes(self.passes),
            "model": {
                "name": engine.place.label, "path": str(loaded.path), "sha256": loaded.sha256,
                "loras": [str(path) for path in loaded.loras], "config": dict(loaded.config.summary()),
            },
            "codec": {
                "name": self.codec.name, "spec": engine.codec_spec, "sample_rate": self.codec.sample_rate,
                "frame_rate": self.codec.frame_rate, "levels": self.codec.levels,
            },
            "device": engine.device.name, "device_reason": engine.device.reason, "dtype": engine.options.dtype,
            "engine": engine.engine, "quantize": engine.options.quantize,
            "threads": engine.threads, "versions": versions(),
            "timings": {
                "load": round(engine.load_seconds, 4), "total": round(spent, 4),
                **{stage: round(value, 4) for stage, value in self.clock.seconds.items()},
            },
            "rtf": round(spent / seconds, 4) if seconds > 0 else None, "warnings": list(self.warnings),
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }  # fmt: skip


def require_finite_codes(codes: Tensor, size: int) -> Tensor:
    """`codes` [T, Q] of a reference, if there are any and all are codes. Raises InputError, ModelError."""
    if len(codes) == 0:
        raise InputError("the reference is too short for the codec", try_="a reference of 3-10 s")
    if int(codes.min()) < 0 or int(codes.max()) >= size:
        raise ModelError(f"the codec gave a code outside 0..{size - 1}")
    return codes
