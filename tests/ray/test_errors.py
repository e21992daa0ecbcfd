"""What is said where there is no Ray, or no cluster. None of it needs Ray."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def batch(cli: Callable[..., Any], model_path: Path, tmp_path: Path) -> Callable[[str], Any]:
    """`batch("ray:…")`: a batch of one row with this runner, whatever its exit code."""
    (tmp_path / "m.txt").write_text("hello there\n", "utf-8")

    def run(runner: str) -> Any:
        return cli(
            "batch", tmp_path / "m.txt", "-o", tmp_path / "out", "--model", model_path, "--voice", "tim",
            "--phonemizer", "letters", "--device", "cpu", "--runner", runner, code=None,
        )  # fmt: skip

    return run


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands in for a Ray that is installed and reaches nothing."""

    def init(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    module = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", module)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return module


def test_without_ray_it_says_what_to_install(batch: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    found = batch("ray")
    assert found.code == 4
    assert 'try:   pip install "vall-e[ray]"' in found.stderr


def test_a_cluster_that_is_not_there_ends_it_at_once(batch: Callable[[str], Any], ray: SimpleNamespace) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        found = batch(f"ray:{address}")
    assert found.code == 5
    assert f"can't reach the Ray cluster at {address}" in found.stderr
    assert batch("ray:auto").code == 5
    assert batch("ray").code == 5


@pytest.mark.parametrize("address", ["ray://10.0.0.1:10001", "10.0.0.1", "10.0.0.1:0", "10.0.0.1:port", ":6379"])
def test_an_address_of_another_form_is_refused(
    batch: Callable[[str], Any], ray: SimpleNamespace, address: str
) -> None:
    found = batch(f"ray:{address}")
    assert found.code == 2
    assert "HOST:PORT" in found.stderr


def test_an_unknown_runner_is_refused_before_anything_is_done(batch: Callable[[str], Any], tmp_path: Path) -> None:
    found = batch("rey")
    assert found.code == 2
    assert "ray" in found.stderr
    assert not (tmp_path / "out").exists()
