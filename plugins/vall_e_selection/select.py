"""The work of `multinomial`."""

from __future__ import annotations

from torch import Tensor

from vall_e_core import StatelessSelector, Step, draw


class MultinomialSelector(StatelessSelector):
    """Inverse transform sampling from the softmax."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        return draw(logits, step.uniform("select"))
