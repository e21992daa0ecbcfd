"""Batches on a Ray cluster of two actors: the same outputs as locally, each once, whatever dies, joins or leaves."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ALL = sorted(f"row{at}" for at in range(12))


def until(running: Any, true: Callable[[], bool]) -> None:
    """Wait for something while a batch runs."""
    end = time.monotonic() + 240
    while not true():
        assert running.process.poll() is None, running.process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def made(running: Any) -> list[str]:
    return sorted(line["id"] for line in running.journal())


def test_an_actor_that_is_killed_loses_nothing_and_the_codes_are_those_of_a_local_run(
    start: Callable[..., Any], nodes: Any, local: Mapping[str, object], gate: Path, tmp_path: Path
) -> None:
    gate.unlink()
    running = start(tmp_path / "killed", "--runner", f"ray:{nodes.address}")
    until(running, lambda: nodes.holding(2))
    os.kill(nodes.actors()[0], signal.SIGKILL)
    gate.touch()
    summary = running.end()
    assert (summary["rows"], summary["left"]) == (12, 0)
    assert made(running) == ALL, "each row once"
    assert running.tree() == local
    record = json.loads((tmp_path / "killed" / "out" / "row0.wav.json").read_bytes())
    assert record["batch"]["processor"], "the record names what computed"


def test_a_run_that_is_killed_goes_on_where_its_journal_says(
    start: Callable[..., Any], nodes: Any, local: Mapping[str, object], tmp_path: Path
) -> None:
    running = start(tmp_path / "again", "--runner", f"ray:{nodes.address}")
    until(running, lambda: len(running.journal()) >= 3)
    running.process.kill()
    running.process.communicate()
    done = len(running.journal())
    again = start(tmp_path / "again", "--runner", f"ray:{nodes.address}")
    summary = again.end()
    assert summary["kept"] >= done
    assert summary["left"] == 0
    assert made(again) == ALL, "each row once"
    assert again.tree() == local


def test_machines_may_leave_and_join(
    start: Callable[..., Any], nodes: Any, local: Mapping[str, object], gate: Path, tmp_path: Path
) -> None:
    gate.unlink()
    running = start(tmp_path / "elastic", "--runner", f"ray:{nodes.address}")
    until(running, lambda: nodes.holding(2))
    nodes.tell("remove")
    until(running, lambda: nodes.holding(1))
    nodes.tell("add")
    until(running, lambda: nodes.holding(2))
    gate.touch()
    running.end()
    assert made(running) == ALL, "each row once"
    assert running.tree() == local


def test_without_an_address_the_cluster_is_this_machine(
    start: Callable[..., Any], local: Mapping[str, object], tmp_path: Path
) -> None:
    running = start(tmp_path / "alone", "--runner", "ray", "--engine-workers", "1", known=False)
    assert running.end()["made"] == 12
    assert running.tree() == local
