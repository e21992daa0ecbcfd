"""`vall-e plugins install`. That it installs and uninstalls is tested in tests/distributions."""

from __future__ import annotations

import pytest

from sites import Run


def test_installing_plugins_where_there_is_no_pip_says_what_does(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_packages.commands.find_spec", lambda name: None)
    done = run("plugins", "install", "vall-e-soft-cap")
    assert done.code == 2
    assert "this environment has no pip" in done.err and "uv pip install" in done.err
