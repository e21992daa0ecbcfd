"""The sample distribution's tests run where it is installed: `test_distributions.py` does that."""

from __future__ import annotations

from pathlib import Path

import pytest

from .building import ROOT, build_wheel

collect_ignore = ["vall-e-soft-cap"]


@pytest.fixture(scope="session")
def core_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own wheel."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("core"))
