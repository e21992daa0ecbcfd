"""The work of `multinomial`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import StatelessSelector, Step, draw, draw_row


class MultinomialSelector(StatelessSelector):
    """Inverse transform sampling from the softmax."""

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        """Logits [N, V] -> tokens [N]."""
        return draw(logits, step.uniform("select"))

    def select_row(self, logits: NDArray[np.float32], step: Step, state: None) -> int:
        """One row [V] -> the token."""
        return draw_row(logits, step.uniform("select").tolist()[0])
