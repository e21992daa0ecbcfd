"""Parts of a text heard while they are made: level 0 step by step, the rest in windows behind it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vall_e_lm import ArPass, continue_prompt, finite_states, stream_ar

from .batched import Sound, choose
from .candidates import Spoken
from .loops import find_loop
from .run import Run
from .streaming import Piece, stream_part
from .takes import Take, judge, retry_seed

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

STEPS = 4
"""Frames of level 0 that are handed on at a time."""


def whole_only(run: Run) -> str | None:
    """Why parts can only be heard when they are whole, or None."""
    passes = run.passes
    if passes.modality != "ar":
        return "level 0 is made at once (nar-len)"
    if run.model.config.version >= 7:
        return "the model chooses all levels of a frame at once"
    if passes.candidates > 1:
        return "of several candidates one is chosen"
    if passes.refine:
        return "--refine-on-stop looks at the whole"
    if run.traces is not None:
        return "a trace is of whole parts"
    if any(run.rate(at) != 1 for at in range(len(run.parts))):
        return "another pace is given to whole parts"
    if run.pitch is not None:
        return "--follow-pitch listens to the whole"
    if run.plans["ar"].search is not None:
        return "a search chooses at its end"
    return None


def early_parts(run: Run) -> Generator[Sound, None, None]:
    """Every part in order, in pieces, as soon as they are settled. What has been heard can't be taken again: only a
    part in which the model stops at once is, and one that repeats itself is ended there.
    """
    run.plan_memory()
    rungs, levels = run.rungs(), run.levels_chain()
    for part in range(len(run.parts)):
        yield from _Early(run, part, levels).sounds(rungs)


class _Early:
    """One part on its way."""

    def __init__(self, run: Run, part: int, levels: Chain) -> None:
        self.run, self.part, self.levels = run, part, levels
        self.wanted = run.wanted[part]
        self.take = Take(torch.zeros(0, dtype=torch.long), "length", run.seed)

    def sounds(self, rungs: list[tuple[str, Chain]]) -> Iterator[Sound]:
        """The pieces, and in the end what the part has become."""
        pieces: list[Piece] = []
        for tries in range(1, self.run.passes.max_tries + 1):
            name, chain = rungs[min(tries, len(rungs)) - 1]
            for piece in self._pieces(chain, name, tries):
                if self.take.verdict != "empty":  # known before the first piece: so short a part comes whole
                    pieces.append(piece)
                    yield Sound(piece.wave, None)
            if pieces:
                break
        spoken: dict[int, Spoken] = {}
        if pieces:
            wave = np.concatenate([each.wave for each in pieces])
            spoken = {0: Spoken(torch.cat([each.codes for each in pieces]), wave)}
        (chosen,) = choose(self.run, [self.part], [self.take], spoken)
        yield Sound(np.zeros(0, np.float32), chosen)

    def _pieces(self, chain: Chain, rung: str, tries: int) -> Iterator[Piece]:
        run, passes = self.run, self.run.passes
        seed = retry_seed(run.seed, tries - 1)
        made = stream_part(
            self._level0(chain, rung, seed, tries), run.model, run.utterance(self.part, own=True), self.levels,
            run.codec, seed=passes.seed, levels=passes.levels, guidance=passes.nar_guidance,
        )  # fmt: skip
        while True:
            with run.clock("stream"):
                piece = next(made, None)
            if piece is None:
                return
            yield piece

    def _level0(self, chain: Chain, rung: str, seed: int, tries: int) -> Iterator[Tensor]:
        """Level 0 as it is written; sets `take` at its end."""
        run, passes, rate = self.run, self.run.passes, self.run.codec.frame_rate
        utterance = run.utterance(self.part)
        how = ArPass(
            chain, seed, early_exit=passes.early_exit, guidance=passes.ar_guidance, frame_rate=rate,
            progress=run.progress,
        )  # fmt: skip
        steps = stream_ar(
            run.model, continue_prompt(utterance) if passes.prefix else utterance, how, max_steps=self.wanted.limit,
            every=STEPS,
        )  # fmt: skip
        codes = torch.zeros(0, dtype=torch.long)
        while True:
            with finite_states(run.model, "AR"):
                try:
                    chunk = next(steps)
                except StopIteration as end:
                    result = end.value
                    break
            codes = torch.cat((codes, chunk.cpu()))
            if find_loop(codes.numpy(), rate) is not None:
                self._judged(Take(codes, "length", seed, tries=tries, rung=rung))
                return
            yield chunk
        self._judged(
            Take(
                result.codes,
                result.stop_reason,
                seed,
                result.log_probability,
                degenerate=result.degenerate,
                tries=tries,
                rung=rung,
            )
        )

    def _judged(self, take: Take) -> None:
        verdict, findings = judge(take, self.wanted, self.run.codec.frame_rate)
        self.take = replace(take, verdict=verdict, findings=findings)
