"""A processor in the manner of transformers that needs none of it: what `vall-e plugins check` tries `hf` with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class FadeLast:
    """Lowers the logit of the last token, unless it is forgiven."""

    def __init__(self, amount: float = 1.0, forgive: Sequence[int] = ()) -> None:
        self.amount, self.forgive = amount, tuple(forgive)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Ids [N, L] and scores [N, V] -> scores [N, V]."""
        if input_ids.shape[1] == 0:
            return scores
        last = input_ids[:, -1:]
        forgiven = torch.isin(last, torch.tensor(self.forgive, dtype=last.dtype, device=last.device))
        lowered = torch.where(forgiven, 0.0, -self.amount).to(scores.dtype)
        return scores.scatter_add(1, last, lowered)
