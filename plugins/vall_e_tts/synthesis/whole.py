"""A part of a text made whole: level 0 taken until it is good, the further levels, the sound, and a choice."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from torch import Tensor

from vall_e_core import FinishedTake, UsageError

from .candidates import Chosen, Spoken, choose_each
from .codes import require_finite_codes
from .run import Sound
from .takes import Steps, Take, best_take
from .work import Call, Hear, Level0, Levels, Together

if TYPE_CHECKING:
    from .run import SpeechRun


def whole_part(run: SpeechRun, part: int) -> Steps[None]:
    """Part `part` of a run from nothing to its sound."""
    made = cast(
        "list[tuple[Take, Spoken | None]]",
        (yield Together([_candidate(run, part, n) for n in range(run.plan.passes.candidates)])),
    )
    takes = [take for take, _ in made]
    spoken = {place: sound for place, (_, sound) in enumerate(made) if sound is not None}
    chosen: Chosen = yield Call(run, "score", functools.partial(choose, run, part, takes, spoken))
    yield Sound(chosen.spoken.wave, chosen)


def choose(run: SpeechRun, part: int, takes: Sequence[Take], spoken: dict[int, Spoken]) -> Chosen:
    """The best candidate of a part; `spoken` says by place what they sound like."""
    plan = run.plan

    def finished(_: int, take: Take, sound: Spoken) -> FinishedTake:
        rate, text = plan.codec.frame_rate, plan.parts[part]
        return FinishedTake(
            text.text, text.phonemes, plan.prepared.language, sound.codes, sound.wave, plan.codec.sample_rate, rate,
            plan.wanted[part].expected / rate, take.stop_reason, take.verdict, take.log_probability,
        )  # fmt: skip

    (chosen,) = choose_each(takes, spoken, plan.judges, finished, parts=1, warn=run.warnings.append)
    return chosen


def _candidate(run: SpeechRun, part: int, candidate: int) -> Steps[tuple[Take, Spoken | None]]:
    plan = run.plan
    if run.given is not None:
        take = _given(run, run.given)
    else:
        take = yield from best_take(
            functools.partial(_make, run, part, candidate), plan.wanted[part], plan.codec.frame_rate, seed=plan.seed,
            max_tries=plan.passes.max_tries,
            listen=None if plan.deaf is not None else functools.partial(_listen, run, part, candidate),
        )  # fmt: skip
    if take.verdict == "empty":
        return take, None
    codes: Tensor = take.levels if take.levels is not None else (yield Levels(run, part, candidate, take))
    wave = yield Call(run, "decode", functools.partial(run.decode, codes))
    return take, Spoken(codes, wave)


def _make(run: SpeechRun, part: int, candidate: int, attempt: int, seed: int) -> Steps[Take]:
    made: Take = yield Level0(run, part, candidate, attempt, seed)
    return made


def _listen(run: SpeechRun, part: int, candidate: int, take: Take) -> Steps[Take]:
    codes = yield Levels(run, part, candidate, take, heard=True)
    kept = take if run.traces is not None else replace(take, levels=codes)  # a trace has to see them made
    heard: Take = yield Hear(run, part, kept, codes)
    return heard


def _given(run: SpeechRun, codes: Tensor) -> Take:
    """Level 0 as it was handed in."""
    plan = run.plan
    if len(plan.parts) * plan.passes.candidates != 1 or plan.passes.modality != "ar":
        raise UsageError(
            "level 0 can't be handed in here",
            cause="it is for one take of a text of one part, by a model that makes level 0 apart",
        )
    found = require_finite_codes(codes, plan.engine.loaded.config.audio_tokens)
    return Take(found.to(next(plan.model.parameters()).device).long(), "given", plan.seed)
