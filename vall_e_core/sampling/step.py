"""What a member of the chain may know about a step besides the logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from .noise import Ahead, Noise, utterance_key


@dataclass
class Step:
    """One step of N rows (N = utterances × width; for NAR levels utterances × frames).

    Tensors live on the device of the logits and keep their shapes through a run. `noise` is that of the first row where
    rows have seeds of their own: `keys` holds each row's. `history` [N, L] is allocated once: row n holds its tokens so
    far in `[:lengths[n]]`, oldest first, and anything behind. `index` ([] or [N]) counts the steps, `rows` [N] holds
    the utterance keys (see `utterance_key`), `frame` [N] the frame of each row of a NAR level.
    """

    stage: str
    index: Tensor
    history: Tensor
    lengths: Tensor
    noise: Noise
    rows: Tensor
    level: int = 0
    stop_token: int | None = None
    frame_rate: float = 75.0
    frame: Tensor | None = None
    unconditional_logits: Tensor | None = None
    keys: Tensor = field(default=None, repr=False)  # type: ignore[assignment]  # always set by __post_init__
    """The rows' noise keys, derived from `noise` and `rows` where not given."""
    ahead: Ahead = field(default_factory=Ahead, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.keys is None:
            self.keys = self.noise.keys(self.rows)

    @classmethod
    def start(
        cls,
        identities: Sequence[int | str],
        *,
        stage: str = "ar",
        seed: int | Noise | Sequence[int] = 0,
        capacity: int = 0,
        level: int = 0,
        stop_token: int | None = None,
        frame_rate: float = 75.0,
        prefixes: Sequence[Tensor | None] | None = None,
        device: torch.device | str = "cpu",
    ) -> Step:
        """The step before the first token of N autoregressive rows, one for each identity.

        `seed` is one for all rows, or one for each; `capacity` is L, the longest history there will be; `prefixes` are
        tokens [P] that the histories begin with.
        """
        count = len(identities)
        history = torch.zeros(count, capacity, dtype=torch.long, device=device)
        lengths = torch.zeros(count, dtype=torch.long, device=device)
        for row, prefix in enumerate(prefixes if prefixes is not None else ()):
            if prefix is not None:
                history[row, : prefix.shape[0]] = prefix.to(history)
                lengths[row] = prefix.shape[0]
        rows = torch.tensor([utterance_key(each) for each in identities], dtype=torch.long, device=device)
        seeds = list(seed) if isinstance(seed, Sequence) else [seed]
        noises = [each if isinstance(each, Noise) else Noise(each) for each in seeds] or [Noise(0)]
        step = cls(
            stage, torch.zeros((), dtype=torch.long, device=device), history, lengths, noises[0], rows, level,
            stop_token, frame_rate,
        )  # fmt: skip
        if len(set(noises)) > 1:
            step.keys = torch.cat([each.keys(rows[at : at + 1]) for at, each in enumerate(noises)])
        return step

    @classmethod
    def parallel(
        cls,
        identities: Sequence[int | str],
        frames: Sequence[int],
        *,
        stage: str = "nar",
        seed: int | Noise = 0,
        level: int = 0,
        index: int = 0,
        frame_rate: float = 75.0,
        device: torch.device | str = "cpu",
    ) -> Step:
        """A step that decides all frames of every utterance at once: N = sum(frames), utterance after utterance.

        There is no history, because tokens decided in parallel have no order.
        """
        counts = torch.tensor(list(frames), dtype=torch.long, device=device)
        keys = torch.tensor([utterance_key(each) for each in identities], dtype=torch.long, device=device)
        total = sum(frames)
        frame = torch.cat([torch.arange(each, device=device) for each in frames] or [counts])
        return cls(
            stage, torch.full((), index, dtype=torch.long, device=device),
            torch.zeros(total, 0, dtype=torch.long, device=device),
            torch.zeros(total, dtype=torch.long, device=device),
            seed if isinstance(seed, Noise) else Noise(seed),
            torch.repeat_interleave(keys, counts, output_size=total), level, None, frame_rate, frame,
        )  # fmt: skip

    def uniform(self, label: str) -> Tensor:
        """[N] float32 in (0, 1), a function of (seed, utterance, step, level, frame, label) alone; only to be read."""
        if self.frame is None and self.index.dim() == 0 and self.index.device.type == "cpu":
            index: Any = self.index.tolist()  # on a CPU the host knows it
            return self.ahead.uniform(self.keys, index, label, self.level)
        return Noise.uniform(self.keys, self.index, label, level=self.level, frame=self.frame)

    def append(self, tokens: Tensor) -> None:
        """Go on to the next step, in place: tokens [N] join the histories. A full history stays as it is."""
        if self.history.shape[1] > 0:
            at = self.lengths.clamp(max=self.history.shape[1] - 1).unsqueeze(1)
            full = (self.lengths >= self.history.shape[1]).unsqueeze(1)
            self.history.scatter_(1, at, torch.where(full, self.history.gather(1, at), tokens.unsqueeze(1)))
        self.lengths.add_(1).clamp_(max=self.history.shape[1])
        self.index.add_(1)

    def put(self, rows: Tensor, fresh: Step) -> None:
        """Let the rows of `fresh`, of the same capacity, take the places `rows` [M]. They count from their own start,
        so that `index` has [N] from now on."""
        if self.index.dim() == 0:
            self.index = self.index.repeat(len(self.rows))
        self.index = self.index.index_copy(0, rows, fresh.index.expand(len(rows)))
        self.history = self.history.index_copy(0, rows, fresh.history)
        self.lengths = self.lengths.index_copy(0, rows, fresh.lengths)
        self.rows = self.rows.index_copy(0, rows, fresh.rows)
        self.keys = self.keys.index_copy(0, rows, fresh.keys)

    def select(self, rows: Tensor) -> Step:
        """The step with rows [M] of this one: drop finished rows, or give every hypothesis its parent's history."""
        width = self.rows.shape[0]

        def chosen(value: object) -> object:
            keeps = isinstance(value, Tensor) and value.dim() > 0 and value.shape[0] == width
            return value.index_select(0, rows) if keeps and isinstance(value, Tensor) else value

        changed = {each.name: chosen(getattr(self, each.name)) for each in fields(self)}
        if self.index.dim() == 0:
            changed["index"] = self.index.clone()
        return replace(self, **changed)  # type: ignore[arg-type]


def recent(step: Step, window: int, vocab: int) -> tuple[Tensor, Tensor]:
    """The last `window` tokens of each row, newest first: (ids [N, W], valid [N, W]); -1 takes the whole history.

    Column j holds the token at distance j + 1. If there is none, or the id isn't one of the `vocab` ids, `valid` is
    False and the id is a valid one, so that it can be gathered and scattered.
    """
    length = step.history.shape[1]
    width = length if window < 0 else min(window, length)
    ages = torch.arange(1, width + 1, device=step.history.device)
    at = step.lengths.unsqueeze(1) - ages
    if width == 0:
        return step.history[:, :0], at >= 0
    ids = step.history.gather(1, at.clamp(min=0))
    known = ids.clamp(0, vocab - 1)
    return known, (at >= 0) & (ids == known)
