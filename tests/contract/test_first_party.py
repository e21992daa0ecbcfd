"""Every installed sampler keeps the contract."""

from __future__ import annotations

import pytest

from vall_e_core import Sampler
from vall_e_core.testing import check_sampler, installed_samplers


@pytest.mark.parametrize("sampler", installed_samplers(), ids=lambda each: each.name)
def test_contract(sampler: type[Sampler]) -> None:
    assert check_sampler(sampler) == []
