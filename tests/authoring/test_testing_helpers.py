"""`vall_e_core.testing`: what its helpers take, and how they refuse the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from vall_e_core import UsageError
from vall_e_core.testing import apply_samplers, sampler_steps, select_token

ROW = [1.0, 2.0, 3.0, 0.5, -1.0]
PENALTY = [("repetition-penalty", {"penalty": 2.0})]


def test_one_history_serves_all_rows_whatever_it_is_made_of() -> None:
    """Regression: a list of numpy's numbers was taken for one history a row."""
    expected = apply_samplers(PENALTY, [ROW, ROW], [1, 2])
    for history in (list(np.array([1, 2])), np.array([1, 2]), torch.tensor([1, 2]), list(torch.tensor([1, 2]))):
        assert torch.equal(apply_samplers(PENALTY, [ROW, ROW], history), expected)
    assert expected[0].tolist() == [1.0, 1.0, 1.5, 0.5, -1.0]


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: select_token("multinomial", ROW, uniforms=[float("nan")]), "between 0 and 1"),
    (lambda: select_token("multinomial", ROW, uniforms=[1.5]), "between 0 and 1"),
    (lambda: select_token("beam", ROW), "chooses sequences"),
    (lambda: select_token("greedy", [ROW, ROW]), "one row"),
    (lambda: sampler_steps("mirostat", [ROW], [9]), "no such token: 9"),
    (lambda: sampler_steps("top-p", [ROW], [-1]), "no such token: -1"),
    (lambda: sampler_steps("mirostat", [], []), "logits are"),
    (lambda: apply_samplers(["top-p"], []), "logits are"),
    (lambda: apply_samplers(["top-p"], 1.0), "logits are"),
    (lambda: apply_samplers(["top-p"], [[ROW]]), r"not \[1, 1, 5\]"),
    (lambda: apply_samplers(["top-p"], ROW, stop_token=9), "no such stop token: 9"),
    (lambda: apply_samplers(["top-p"], ROW, stop_token=4.0), "no such stop token"),  # type: ignore[arg-type]  # what is tested
]


@pytest.mark.parametrize(("call", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_cannot_be_meant_is_refused(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call()
