"""The non-autoregressive levels of a response that is still being written: windows, settled from the front."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core import UsageError
from vall_e_core.sampling import Step

from ..model import Target
from .guidance import Guidance
from .nar import level_count
from .parallel import response_logits
from .types import Utterance

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel


@dataclass(frozen=True)
class Schedule:
    """Where a growing response is cut, in frames; a matter of the response alone, never of how it arrives."""

    first: int = 8
    """Frames of the first piece: the smaller, the earlier the first sound."""
    lookahead: int = 8
    """Frames behind a piece that must have arrived before it is settled."""
    growth: float = 2.0
    """How much longer each piece is than the one before it, so that there are few passes."""
    most: int = 192
    """The longest piece."""
    context: int = 512
    """Frames before a piece that its pass sees; a longer response is cut off in front."""

    def __post_init__(self) -> None:
        if self.first < 1 or self.lookahead < 1 or self.growth < 1.0 or self.most < self.first or self.context < 0:
            raise UsageError(f"pieces can't be cut like this: {self}")

    def ends(self) -> Iterator[int]:
        """Where the pieces end, one after the other, without end."""
        end, size = 0, float(self.first)
        while True:
            end += int(size)
            yield end
            size = min(size * self.growth, float(self.most))


@dataclass(frozen=True, eq=False)
class Settled:
    """Codes that won't change any more, and what is expected to follow them; both ``[t, Q]``."""

    codes: Tensor
    ahead: Tensor
    """Codes of up to ``lookahead`` frames behind: a codec may look at them, but they may still change."""


class GrowingLevels:
    """All levels of one response whose level 0 arrives in pieces.

    A piece of the schedule is settled when ``lookahead`` more frames have arrived, or the end: one pass for each level
    over the response so far, in which the frames that are settled already stay as they are. A response that ends before
    the first piece is due gets the codes that `generate_nar` gives it. Noise is keyed by the frame, as there.
    """

    def __init__(
        self,
        model: BaseModel,
        utterance: Utterance,
        chain: Chain | None,
        *,
        seed: int,
        levels: int | None = None,
        guidance: Guidance | None = None,
        frame_rate: float = 75.0,
        schedule: Schedule | None = None,
    ) -> None:
        """
        Args:
            chain: samplers built for the stage ``"nar"``; None where no levels are made.
            levels: NAR levels to make; None: all that the model has, 0: none.
        """
        self.schedule = Schedule() if schedule is None else schedule
        self._model, self._utterance, self._chain = model, utterance, chain
        self._seed, self._frame_rate = seed, frame_rate
        self._guidance = guidance if guidance is not None and guidance.active() else None
        whole = model.config.version >= 7
        makes = not whole and levels != 0 and model.supports(Target("nar", 1))
        self._keep = None if levels is None else levels + 1
        self._levels = level_count(model, levels) if makes else 0
        if self._levels and chain is None:
            raise UsageError("the model's further levels need a chain of samplers")
        self._device = next(model.parameters()).device
        self._arrived: Tensor | None = None
        self._settled: Tensor | None = None
        self._ends = self.schedule.ends()
        self._end = next(self._ends)
        self._final = False

    @property
    def frames(self) -> int:
        """Frames that are settled."""
        return 0 if self._settled is None else len(self._settled)

    @property
    def complete(self) -> bool:
        """Whether the end has been told and everything is settled."""
        return self._final and (self._arrived is None or self.frames == len(self._arrived))

    @property
    def due(self) -> bool:
        """Whether the frames that have arrived settle some more."""
        total = 0 if self._arrived is None else len(self._arrived)
        return self._end + self.schedule.lookahead <= total or (self._final and self.frames < total)

    def push(self, level0: Tensor, final: bool = False) -> Iterator[Settled]:
        """Take in the next frames of level 0 ``[t]`` (version 7: all levels ``[t, Q]``); give out what they settle.

        t may be 0. With ``final`` nothing follows. Each window is worked out when it is asked for. Raises UsageError
        after the end.
        """
        if self._final:
            raise UsageError("the response has ended")
        self._final = final
        new = level0.to(self._device).long()
        new = new.reshape(-1, 1) if new.dim() == 1 else new[:, : self._keep]
        if self._arrived is None or len(self._arrived) == 0:
            self._arrived = new
        elif len(new):
            self._arrived = torch.cat((self._arrived, new))
        return self._due(final)

    def _due(self, final: bool) -> Iterator[Settled]:
        assert self._arrived is not None
        total = len(self._arrived)
        while self._end + self.schedule.lookahead <= total:
            settled = self._settle(self._end, self._end + self.schedule.lookahead)
            self._end = next(self._ends)
            yield settled
        if final and self.frames < total:
            yield self._settle(total, total)

    @torch.inference_mode()
    def _settle(self, end: int, seen: int) -> Settled:
        """Settle the frames up to ``end``, from the first ``seen``."""
        assert self._arrived is not None
        begin = self.frames
        start = max(0, begin - self.schedule.context)
        known = begin - start
        codes = self._arrived[start:seen]
        for level in range(1, self._levels + 1):
            logits = response_logits(
                self._model, Target("nar", level), [self._utterance], [codes], self._guidance
            )[0]  # fmt: skip
            ids = codes.new_zeros(len(codes))
            if self._settled is not None:
                ids[:known] = self._settled[start:begin, level]
            ids[known:] = self._choose(logits[known:], level, begin)
            codes = torch.cat((codes, ids[:, None]), dim=1)
        made = codes[known : end - start]
        self._settled = made if self._settled is None else torch.cat((self._settled, made))
        return Settled(made, codes[end - start :])

    def _choose(self, logits: Tensor, level: int, first: int) -> Tensor:
        """Ids ``[T]`` for logits ``[T, V]`` of the frames from ``first`` on."""
        assert self._chain is not None
        step = Step.parallel(
            [self._utterance.id], [len(logits)], stage="nar", seed=self._seed, level=level,
            frame_rate=self._frame_rate, device=logits.device,
        )  # fmt: skip
        assert step.frame is not None
        step.frame += first
        state = self._chain.init(len(logits))
        ids = self._chain.select(self._chain.process(logits, step, state), step, state)
        self._chain.require(state)
        return ids
