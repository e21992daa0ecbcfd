"""What is left behind a filter that keeps few tokens: a smaller vocabulary.

After `top-k:50` nothing but 51 of 1025 logits matters. Filters and selectors that see nothing but what is left
(`compact` among their invariances) work on [N, 51] logits as they do on [N, 1025]; the id is looked up at the end.
This is done on a CPU alone, where time follows width; a GPU's follows the number of kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .protection import sound

NEVER = float("-inf")


@dataclass
class Candidates:
    """Logits [N, K] of the tokens that may be left, and their ids [N, K] in rising order; no other token is.

    With a stop token the last column is its own, whatever is left of it. Where it was among the tokens kept, it stands
    there too, removed.
    """

    logits: Tensor
    ids: Tensor
    size: int
    """V."""
    stop: int | None
    """The stop token, if one is protected."""
    floor: Tensor | None = None
    """Logits [N, K] of the stop token alone, -inf elsewhere, where they are known already."""

    @classmethod
    def of(cls, logits: Tensor, ids: Tensor, stop: int | None) -> Candidates:
        """Tokens ids [N, K] of logits [N, V] on a CPU, and the stop token, which is the last id or None."""
        size = logits.shape[-1]
        if stop is None:
            return cls(logits.gather(1, ids), ids, size, None)
        rows, count = ids.shape
        known = np.empty((rows, count + 1), np.int64)
        known[:, :count] = ids.numpy()
        known[:, count] = stop
        together = torch.from_numpy(known)
        kept = logits.gather(1, together)
        twice = known[:, count - 1] == stop
        if True in twice.tolist():
            kept[:, count - 1].masked_fill_(torch.from_numpy(twice), NEVER)
        return cls(kept, together, size, stop)

    def filtered(self, logits: Tensor) -> Candidates:
        """What a filter left [N, K] of these; the stop token stays."""
        if self.stop is None or logits is self.logits:
            return Candidates(logits, self.ids, self.size, self.stop)
        floor = self.floor
        if floor is None:
            floor = torch.full_like(logits, NEVER)
            floor[:, -1:].copy_(self.logits[:, -1:])
        return Candidates(torch.maximum(logits, floor), self.ids, self.size, self.stop, floor)

    def changed(self, logits: Tensor) -> Candidates:
        """Other logits [N, K] for these."""
        return Candidates(logits, self.ids, self.size, self.stop)

    def sound(self) -> bool:
        """Whether there is nothing to settle in any row."""
        return sound(self.logits, None if self.stop is None else self.logits.shape[-1] - 1)

    def spread(self) -> Tensor:
        """Logits [N, V], all others removed."""
        dense = torch.full((self.ids.shape[0], self.size), NEVER)
        return dense.scatter_reduce_(1, self.ids, self.logits, "amax")

    def tokens(self, places: Tensor) -> Tensor:
        """The ids [N] at places [N] among the candidates."""
        return self.ids.gather(1, places.unsqueeze(1)).squeeze(1)
