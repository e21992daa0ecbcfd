"""The model listens to its own takes: one in which words are missing is made again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vall_e_core import UsageError
from vall_e_lm import listens
from vall_e_text import language_base

from .missing import find_missing
from .takes import Take

if TYPE_CHECKING:
    from ..valle import VallE
    from .passes import Passes
    from .plan import SpeechPlan
    from .request import PreparedSpeech


def why_deaf(engine: VallE, prepared: PreparedSpeech, passes: Passes) -> str | None:
    """Why takes aren't listened to; None where they are. Raises UsageError where that was asked for in vain."""
    asked, task, language = prepared.request.options.listen, prepared.task, prepared.language
    if asked == "off":
        return "--listen off"
    if asked == "on" and "stt" not in engine.loaded.config.capabilities:
        raise UsageError("--listen on needs a model that can transcribe", try_="--listen off")
    if asked == "auto" and not listens(engine.registry, engine.loaded, engine.place):
        return "nothing says that the model hears well enough"
    if asked == "auto" and language_base(language) not in {language_base(each) for each in engine.languages}:
        return f"the model didn't learn {language}"
    if not task.imitates:
        return f"the task {task.name} doesn't only say its text"
    if passes.levels is not None and passes.levels < engine.loaded.config.levels - 1:
        return "not all levels are made"
    return None


def judged(plan: SpeechPlan, at: int, take: Take, heard: str | None) -> Take:
    """A take of part `at` that seemed to be good, with what was heard in it (None: what was wanted, if anything)."""
    part = plan.parts[at]
    found = None if heard is None else find_missing(part.text, part.phonemes, heard)
    if found is None or not (found.lost or (plan.strange and found.doubtful)):
        return take
    return replace(take, verdict="lost", findings=(found.finding(),), badness=found.share)
