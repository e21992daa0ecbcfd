"""The contract of `apply_row`, `kept_row` and `select_row`: what a batch gets, for a row alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core.sampling import GreedySelector, StatelessTransform, Step
from vall_e_core.testing import check_sampler

from .test_wrong_samplers import transform
from .test_wrong_selectors import selector


class Halves(StatelessTransform):
    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits / 2

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        return logits / np.float32(2)


@pytest.mark.slow
def test_a_wrong_method_for_one_row_is_found() -> None:
    class Wrong(Halves):
        def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
            return logits / np.float32(3)

    class Writes(Halves):
        def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
            logits /= 2
            return logits

    class Second(GreedySelector):
        def select_row(self, logits: NDArray[np.float32], step: Step, state: None) -> int:
            return int(logits.argmin())

    def found(kind: type[Halves]) -> list[str]:
        return check_sampler(transform(lambda logits, step: logits, removes=False, build=lambda self, ctx: kind()))

    assert found(Halves) == []
    assert any("apply_row() makes other logits" in each for each in found(Wrong))
    assert any("writes to the logits" in each for each in found(Writes))
    assert check_sampler(selector(GreedySelector)) == []
    assert any("select_row() takes another token" in each for each in check_sampler(selector(Second)))
