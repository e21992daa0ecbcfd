"""Parts of a text made whole, many at a time: level 0 of a section of the text, then the rest of a few at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_audio import Wave
from vall_e_core import FinishedTake, UsageError

from .candidates import Chosen, Spoken, choose_each
from .listening import listener
from .passes import further_levels, level0
from .run import Run, require_finite_codes
from .takes import Take

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

LARGEST_SECTION = 16
"""In batches: what is made of level 0 before any of it is heard. Where it ends, places of the batch fall empty."""


@dataclass(frozen=True, eq=False)
class Sound:
    """The next stretch of speech, `wave` [samples]; with the last one of a part comes what was chosen for it."""

    wave: Wave
    chosen: Chosen | None


def sections(parts: int, batch: int) -> Iterator[range]:
    """The numbers of all parts in sections: the first as large as a batch, so that it is heard soon, then larger."""
    at, size = 0, batch
    while at < parts:
        yield range(at, min(at + size, parts))
        at += size
        size = min(2 * size, LARGEST_SECTION * batch)


def whole_parts(run: Run, given: Tensor | None = None) -> Generator[Sound, None, None]:
    """Every part in order, a sound each; what has been handed out isn't kept.

    `given` [T] is level 0 where it is known already.
    """
    levels = run.levels_chain()
    rungs = run.rungs() if given is None else []
    run.plan_memory(max((chain.width for _, chain in rungs), default=1))
    together = max(1, run.passes.batch_size // run.passes.candidates)
    for section in sections(len(run.parts), together):
        takes = _level0(run, section, rungs) if given is None else _taken(run, given)
        for at in range(0, len(section), together):
            some = section[at : at + together]
            mine = takes[at * run.passes.candidates :][: len(some) * run.passes.candidates]
            for chosen in _rest(run, some, mine, levels):
                yield Sound(chosen.spoken.wave, chosen)


def _level0(run: Run, parts: Sequence[int], rungs: Sequence[tuple[str, Chain]]) -> list[Take]:
    """Takes of every part, its candidates side by side."""
    items = [(i, n) for i in parts for n in range(run.passes.candidates)]
    with run.clock("level 0"), torch.inference_mode():
        return level0(
            run.model, [run.utterance(i, n) for i, n in items], [run.wanted[i] for i, _ in items], rungs, run.passes,
            run.codec.frame_rate, run.progress, listener(run, items),
        )  # fmt: skip


def _taken(run: Run, given: Tensor) -> list[Take]:
    """Level 0 as it was handed in."""
    if len(run.parts) * run.passes.candidates != 1 or run.passes.modality != "ar":
        raise UsageError(
            "level 0 can't be handed in here",
            cause="it is for one take of a text of one part, by a model that makes level 0 apart",
        )
    codes = require_finite_codes(given, run.engine.loaded.config.audio_tokens)
    return [Take(codes.to(next(run.model.parameters()).device, torch.long), "given", run.seed)]


def _rest(run: Run, parts: Sequence[int], takes: Sequence[Take], chain: Chain) -> list[Chosen]:
    """Further levels and sound of some parts' takes, and the choice among each part's candidates."""
    items = [(i, n) for i in parts for n in range(run.passes.candidates)]
    said = [place for place, take in enumerate(takes) if take.verdict != "empty"]
    with run.clock("further levels"), torch.inference_mode():
        codes = further_levels(
            run.model, [run.utterance(*items[place], own=True) for place in said], [takes[place] for place in said],
            chain, run.passes, run.codec.frame_rate, run.progress,
        )  # fmt: skip
    with run.clock("decode"), torch.inference_mode():
        spoken = {place: Spoken(each, run.sound(each)) for place, each in zip(said, codes, strict=True)}
    return choose(run, parts, takes, spoken)


def choose(run: Run, parts: Sequence[int], takes: Sequence[Take], spoken: dict[int, Spoken]) -> list[Chosen]:
    """The best candidate of each part; `takes` lie side by side, `spoken` says by place what they sound like."""

    def finished(at: int, take: Take, sound: Spoken) -> FinishedTake:
        rate, text = run.codec.frame_rate, run.parts[parts[at]]
        return FinishedTake(
            text.text, text.phonemes, run.prepared.language, sound.codes, sound.wave, run.codec.sample_rate, rate,
            run.wanted[parts[at]].expected / rate, take.stop_reason, take.verdict, take.log_probability,
        )  # fmt: skip

    with run.clock("score"):
        return choose_each(takes, spoken, run.judges, finished, parts=len(parts), warn=run.warnings.append)
