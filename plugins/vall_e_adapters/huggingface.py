"""A chain as a `LogitsProcessor` of Hugging Face transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import cast

import torch
from torch import Tensor

from vall_e_authoring import SamplerLike
from vall_e_core import ModelError, UsageError
from vall_e_core.sampling.running import ChainPlan

from .guest import Guest, Rows, plan_guest


class ChainProcessor:
    """What `generate()` calls at every step. Made by `as_hf_processor`.

    `generate()` says neither that a new sequence begins nor that beams were re-ordered. Both are seen from the ids: a
    row continues the row of the last step whose tokens it begins with; where there is none, everything begins anew.
    """

    def __init__(
        self, plan: ChainPlan, *, seed: int, stop_token: int | None, pad_token: int | None, longest: int,
        frame_rate: float,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.seed, self.stop_token, self.pad_token = seed, stop_token, pad_token
        self.longest, self.frame_rate = longest, frame_rate
        self.reset()

    def reset(self) -> None:
        """Forget the sequences. Needed only between calls of which one continues the other by exactly one token."""
        self._guest: Guest | None = None
        self._rows: Rows | None = None
        self._seen: Tensor | None = None

    @torch.no_grad()
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Ids [N, L] and scores [N, V] -> scores [N, V]."""
        guest, rows = self._followed(input_ids, scores)
        left, self._rows = guest.process(rows, scores)
        self._seen = input_ids.clone()
        return left

    def _followed(self, ids: Tensor, scores: Tensor) -> tuple[Guest, Rows]:
        guest, rows = self._guest, self._rows
        if guest is None or (guest.device, guest.vocab_size) != (scores.device, scores.shape[1]):
            guest = self._guest = Guest(
                self.plan, device=scores.device, vocab_size=scores.shape[1], longest=self.longest, seed=self.seed,
                stop_token=self.stop_token, frame_rate=self.frame_rate,
            )  # fmt: skip
            rows = None
        parents = None if rows is None else self._parents(ids)
        if rows is None or parents is None:
            return guest, guest.start([self._unpadded(row) for row in ids], range(ids.shape[0]))
        guest.check_length(ids.shape[1])
        if not torch.equal(parents, torch.arange(ids.shape[0], device=ids.device)):
            if guest.decides:
                raise UsageError(
                    f"{self.plan.chooser} chooses the token, so generate() can't search",
                    try_="num_beams=1, or a chain without a selector",
                )
            rows = self._moved(rows, parents)
        return guest, guest.feed(rows, ids[:, -1])

    def _parents(self, ids: Tensor) -> Tensor | None:
        """Which row [N] of the last step each row continues, itself if it can; None where some row continues none."""
        seen = self._seen
        if seen is None or (ids.shape[0], ids.shape[1] - 1) != tuple(seen.shape) or ids.device != seen.device:
            return None
        place = torch.arange(ids.shape[0], device=ids.device)
        if torch.equal(ids[:, :-1], seen):
            return place
        match = (ids[:, None, :-1] == seen).all(dim=-1)
        if not bool(match.any(dim=1).all()):
            return None
        return torch.where(match.diagonal(), place, match.to(torch.uint8).argmax(dim=1))

    @staticmethod
    def _moved(rows: Rows, parents: Tensor) -> Rows:
        """Each row with its parent's history and state; its noise stays its own, or two beams would draw alike."""
        moved = rows.select(parents)
        moved.step.rows, moved.step.keys = rows.step.rows, rows.step.keys
        return moved

    def _unpadded(self, row: Tensor) -> Tensor:
        """Ids [L] without the padding in front."""
        if self.pad_token is None:
            return row
        return row[int((row == self.pad_token).long().cumprod(0).sum()) :]


def as_hf_processor(
    samplers: SamplerLike | Sequence[SamplerLike],
    *,
    seed: int = 0,
    stop_token: int | None = None,
    pad_token: int | None = None,
    longest: int = 4096,
    frame_rate: float = 75.0,
) -> ChainProcessor:
    """A `transformers.LogitsProcessor` that applies a chain: `generate(…, logits_processor=[it])`.

    Each row's history is its `input_ids`, the prompt among them. One object serves any number of calls, one at a time.

    Args:
        samplers: the chain. Without a selector `generate()` draws, or takes the best, or searches. With one the
            chain chooses the token, with its own noise, and removes all others: not for more than one beam.
        seed: of the chain's noise.
        stop_token: the token no filter may take away.
        pad_token: what pads shorter prompts on the left; it isn't part of the history.
        longest: the most tokens a sequence may have.

    Raises:
        UsageError: an unknown sampler, or one that can't work here.
        ModelError: transformers isn't installed.
    """
    plan = plan_guest(samplers, "generate()")
    return _processor_class()(
        plan, seed=seed, stop_token=stop_token, pad_token=pad_token, longest=longest, frame_rate=frame_rate
    )


@lru_cache(maxsize=1)
def _processor_class() -> type[ChainProcessor]:
    """ChainProcessor as a subclass of what transformers asks for."""
    try:
        base = import_module("transformers").LogitsProcessor
    except ImportError as error:
        raise ModelError(
            "transformers can't be imported", cause=str(error), try_="pip install 'vall-e[transformers]'"
        ) from error
    return cast("type[ChainProcessor]", type("ChainLogitsProcessor", (ChainProcessor, base), {}))
