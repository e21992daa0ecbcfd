"""Classifier-free guidance with rescaling.

``g = null + s (pos - null)`` (Ho & Salimans 2022), then ``g * (r std(pos) / std(g) + 1 - r)`` (Lin et al. 2023, the
published phi rescaling). The standard deviation is one number per utterance over all response rows and classes;
an autoregressive pass sees the rows so far, so it keeps running sums and need not see old rows again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.cache import take_rows


@dataclass(frozen=True)
class Guidance:
    """``strength`` 0 is off, 1 is the conditional logits; ``rescale`` 0 leaves the guided logits' spread alone."""

    strength: float
    rescale: float = 0.7

    def active(self) -> bool:
        return self.strength > 0.0


UNGUIDED = Guidance(strength=1.0, rescale=0.0)
"""The conditional logits as they are, with the unconditional ones beside them for a member of the chain."""


def mix(conditional: Tensor, unconditional: Tensor, strength: float) -> Tensor:
    """Guided logits, before rescaling; shapes alike."""
    if strength == 1.0:
        return conditional
    return unconditional + strength * (conditional - unconditional)


def rescale(guided: Tensor, conditional: Tensor, amount: float, dims: tuple[int, ...]) -> Tensor:
    """Bring the spread of ``guided`` over ``dims`` towards that of ``conditional``, by ``amount`` in [0, 1]."""
    if amount <= 0.0:
        return guided
    ratio = conditional.std(dims, keepdim=True) / guided.std(dims, keepdim=True)
    return guided * (amount * ratio + (1.0 - amount))


class RunningGuidance:
    """Guidance for rows that arrive one at a time, ``N`` sequences side by side."""

    def __init__(self, guidance: Guidance, rows: int, device: torch.device) -> None:
        self.guidance = guidance
        self._count = torch.zeros(rows, device=device)
        self._mean = torch.zeros(rows, 2, device=device)
        self._m2 = torch.zeros(rows, 2, device=device)

    @property
    def rows(self) -> int:
        """Sequences N."""
        return len(self._count)

    def apply(self, conditional: Tensor, unconditional: Tensor, present: Tensor | None = None) -> Tensor:
        """Guided logits of the last row given; all rows given enter the statistics.

        Args:
            conditional, unconditional: ``[N, T, V]`` (the T newest rows of each sequence, right-padded).
            present: ``[N]`` how many of the T rows are real; None means all.
        Returns:
            ``[N, V]``
        """
        rows, newest, classes = conditional.shape
        guided = mix(conditional, unconditional, self.guidance.strength)
        mask: Tensor | None = None
        if present is None:
            last = guided[:, -1]
            real = conditional.new_full((rows, 1), float(newest))
        else:
            last = guided[torch.arange(rows, device=guided.device), present - 1]
            real = present[:, None].to(conditional.dtype)
            mask = (torch.arange(newest, device=guided.device)[None] < present[:, None])[:, None, :, None]
        if self.guidance.rescale <= 0.0:
            return last
        # Chan's parallel update of mean and sum of squares, for conditional and guided logits at once.
        both = torch.stack((conditional, guided), dim=1)  # [N, 2, T, V]
        if mask is not None:
            both = both * mask
        count = real * classes
        mean = both.sum((2, 3)) / count
        deviation = both - mean[:, :, None, None]
        if mask is not None:
            deviation = deviation * mask
        total = self._count[:, None] + count
        shift = mean - self._mean
        self._m2 += (deviation**2).sum((2, 3)) + shift**2 * self._count[:, None] * count / total
        self._mean += shift * count / total
        self._count.copy_(total[:, 0])
        std = (self._m2 / (total - 1.0)).sqrt()
        amount = self.guidance.rescale
        return last * (amount * std[:, 0] / std[:, 1] + (1.0 - amount))[:, None]

    def select(self, rows: Tensor) -> None:
        """Keep (or repeat) rows; ``rows`` ``[M]``."""
        self._count, self._mean, self._m2 = (take_rows(each, rows) for each in (self._count, self._mean, self._m2))

    def put(self, rows: Tensor, other: RunningGuidance) -> None:
        """Let the sequences of ``other`` take the places ``rows`` ``[M]``."""
        self._count.index_copy_(0, rows, other._count)
        self._mean.index_copy_(0, rows, other._mean)
        self._m2.index_copy_(0, rows, other._m2)


def guide_rows(conditional: Tensor, unconditional: Tensor, guidance: Guidance) -> Tensor:
    """Guided logits of a finished sequence, each row with the spread of the rows up to it; all ``[T, V]``."""
    guided = mix(conditional, unconditional, guidance.strength)
    if guidance.rescale <= 0.0:
        return guided

    def spread(logits: Tensor) -> Tensor:  # [T, V] -> [T]
        centre = logits.mean()
        count = torch.arange(1, len(logits) + 1, device=logits.device) * logits.shape[1]
        first = (logits - centre).sum(1).cumsum(0)
        second = ((logits - centre) ** 2).sum(1).cumsum(0)
        return ((second - first**2 / count) / (count - 1)).sqrt()

    ratio = spread(conditional) / spread(guided)
    return guided * (guidance.rescale * ratio + 1.0 - guidance.rescale)[:, None]
