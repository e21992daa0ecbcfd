"""The model listens to its own takes: one in which words are missing is made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vall_e_core import UsageError
from vall_e_lm import listens
from vall_e_stt import hear_codes
from vall_e_text import language_base

from .missing import compare
from .passes import further_levels
from .takes import Take

if TYPE_CHECKING:
    from .parts import TextPart
    from .run import Run


def why_deaf(run: Run) -> str | None:
    """Why takes aren't listened to; None where they are. Raises UsageError where that was asked for in vain."""
    engine, asked, language = run.engine, run.options.listen, run.prepared.language
    if asked == "off":
        return "--listen off"
    if asked == "on" and "stt" not in engine.loaded.config.capabilities:
        raise UsageError("--listen on needs a model that can transcribe", try_="--listen off")
    if asked == "auto" and not listens(engine.registry, engine.loaded, engine.place):
        return "nothing says that the model hears well enough"
    if asked == "auto" and language_base(language) not in {language_base(each) for each in engine.languages}:
        return f"the model didn't learn {language}"
    if run.request.task != "tts":
        return f"the task {run.request.task} doesn't only say its text"
    if run.passes.levels is not None and run.passes.levels < engine.loaded.config.levels - 1:
        return "not all levels are made"
    return None


def listener(
    run: Run, items: Sequence[tuple[int, int]]
) -> Callable[[Sequence[int], Sequence[Take]], Sequence[Take]] | None:
    """What listens to the takes of `items` (part, candidate), by their places; None where nothing does."""
    if run.deaf is not None:
        return None
    levels = run.levels_chain().watched(None)

    def listen(places: Sequence[int], takes: Sequence[Take]) -> list[Take]:
        if not takes:
            return []
        with run.clock("listen"):
            codes = further_levels(
                run.model, [run.utterance(*items[place], own=True) for place in places], takes, levels, run.passes,
                run.codec.frame_rate,
            )  # fmt: skip
            wanted = [run.parts[items[place][0]].own_ids for place in places]
            heard = hear_codes(run.engine, codes, wanted, run.prepared.language, run.passes.batch_size)
        keep = run.traces is None  # which has to see them made
        return [
            judged(run.parts[items[place][0]], replace(take, levels=made if keep else None), said)
            for place, take, made, said in zip(places, takes, codes, heard, strict=True)
        ]

    return listen


def judged(part: TextPart, take: Take, heard: str | None) -> Take:
    """A take of a part that seemed to be good, with what was heard in it (None: what was wanted, if anything)."""
    found = None if heard is None else compare(part.text, part.phonemes, heard)
    if found is None or not found.lost:
        return take
    return replace(take, verdict="lost", findings=(found.finding(),), badness=found.share)
