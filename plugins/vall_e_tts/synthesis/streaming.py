"""One part of a text, heard while it is written: level 0 in, pieces of sound out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vall_e_audio import Wave
from vall_e_lm import GrowingLevels, Schedule, finite_states, require_finite

if TYPE_CHECKING:
    from vall_e_core import CodecModel
    from vall_e_core.sampling.running import Chain
    from vall_e_lm import BaseModel, Guidance, Settled, Utterance

CONTEXT_FRAMES = 32
"""Frames on either side that a codec is given, where it doesn't say how many it needs."""
BLEND_SECONDS = 0.01
"""How long a window's own idea of what follows fades into the next window's."""


@dataclass(frozen=True, eq=False)
class Piece:
    """The next stretch of a part: codes `[t, Q]` and their samples."""

    codes: Tensor = field(repr=False)
    wave: Wave = field(repr=False)


class WaveStream:
    """A codec's decoding of codes that arrive in pieces.

    Every piece is decoded with the frames before it, and with what is expected behind it; the samples of the piece
    itself are kept. Where two windows disagree at their border, because the first didn't know what would follow, the
    first fades into the second. The pieces together are as long as one decoding of all codes.
    """

    def __init__(self, codec: CodecModel, *, context: int | None = None, blend_seconds: float = BLEND_SECONDS) -> None:
        """`context`: frames given before a piece; the codec's own `context_frames` if None."""
        self._codec = codec
        self._hop = round(codec.sample_rate / codec.frame_rate)
        self._context = getattr(codec, "context_frames", CONTEXT_FRAMES) if context is None else context
        self._blend = round(blend_seconds * codec.sample_rate)
        self._before: Tensor | None = None
        self._tail = np.zeros(0, np.float32)

    def push(self, codes: Tensor, ahead: Tensor | None = None, final: bool = False) -> Wave:
        """The samples of `codes` [t, Q]; `ahead` [n, Q] are expected to follow, and `final` says that nothing does."""
        if len(codes) == 0:
            return np.zeros(0, np.float32)
        before = codes[:0] if self._before is None else self._before
        behind = codes[:0] if ahead is None or final else ahead[: self._context]
        window = torch.cat((before, codes, behind))
        decoded = self._codec.decode(window.long())
        found: Wave = require_finite(decoded.float().reshape(-1), "codec").cpu().numpy().astype(np.float32)
        start, end = len(before) * self._hop, (len(before) + len(codes)) * self._hop
        wave = found[start:] if final else found[start:end]
        size = min(len(self._tail), len(wave))
        if size:
            rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / size)).astype(np.float32)
            wave = wave.copy()
            wave[:size] = self._tail[:size] + rise * (wave[:size] - self._tail[:size])
        self._tail = found[:0] if final else found[end : end + self._blend].copy()
        kept = torch.cat((before, codes))
        self._before = kept[max(0, len(kept) - self._context) :]
        return wave


class PartStream:
    """Level 0 of one part in, pieces of sound out.

    The pieces depend on the codes alone, not on the sizes in which they arrive. Together they are the part's codes and
    its wave, to the frame and the sample.
    """

    def __init__(
        self,
        model: BaseModel,
        utterance: Utterance,
        chain: Chain | None,
        codec: CodecModel,
        *,
        seed: int,
        levels: int | None = None,
        guidance: Guidance | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        """
        Args:
            utterance: as `generate_nar` takes it.
            chain: samplers built for the stage `"nar"`; None where there are no levels to make.
            levels: NAR levels; None for all, 0 for none.
        """
        self._model = model
        self._growing = GrowingLevels(
            model, utterance, chain, seed=seed, levels=levels, guidance=guidance, frame_rate=codec.frame_rate,
            schedule=schedule,
        )  # fmt: skip
        self._wave = WaveStream(codec)
        self._final = False
        self._due: Iterator[Settled] = iter(())

    def push(self, level0: Tensor, final: bool = False) -> None:
        """Take in the next frames of level 0 `[t]` (version 7: all levels `[t, Q]`); with `final` nothing follows."""
        self._final = final
        self._due = self._growing.push(level0, final)

    @property
    def due(self) -> bool:
        """Whether the next piece can be made."""
        return self._growing.due

    def piece(self) -> Piece:
        """The next piece, where one is `due`. Raises VallEError where model or codec give what isn't finite."""
        with finite_states(self._model, "NAR"):
            settled = next(self._due)
        last = self._final and self._growing.complete
        return Piece(settled.codes, self._wave.push(settled.codes, settled.ahead, last))


__all__ = ["PartStream", "Piece", "Schedule", "WaveStream"]
