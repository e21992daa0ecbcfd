from __future__ import annotations

import torch
from vall_e_soft_cap import SoftCap

from vall_e_core.testing import apply_samplers, check_sampler


def test_contract() -> None:
    assert check_sampler(SoftCap) == []


def test_logits_stay_within_the_cap_and_in_order() -> None:
    logits = torch.tensor([-100.0, -1.0, 0.0, 1.0, 100.0])
    capped = apply_samplers([SoftCap(cap=5.0)], logits, history=[])
    assert capped.abs().max() <= 5.0
    assert torch.equal(capped.argsort(), logits.argsort())
