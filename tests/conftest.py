"""What every test shares."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""Read when torch is imported: threads that spin make small tests a hundred times slower beside a busy process."""


@pytest.fixture(autouse=True)
def no_plugin_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own choice of plugins doesn't reach the tests."""
    for name in ("VALL_E_PLUGINS", "VALL_E_DISABLE", "VALL_E_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
