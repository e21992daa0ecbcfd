"""A batch that is killed, whose disk is full, or that is interrupted: nothing is lost and nothing is made twice."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ENDED = (0, 6)
"""A random model says nothing for a row now and then."""
TIMES = ("created", "timings", "rtf")
ROWS = 12


@pytest.fixture
def start(
    command: Callable[..., tuple[list[str], dict[str, str]]], model_path: Path, tmp_path: Path
) -> Callable[..., subprocess.Popen[str]]:
    """`start(folder, "flag", …)`: a batch of its own process, into `folder`/out."""

    def begin(folder: Path, *flags: str, **how: Any) -> subprocess.Popen[str]:
        folder.mkdir(exist_ok=True)
        manifest = tmp_path / "m.jsonl"
        if not manifest.exists():
            rows = [{"id": f"row{at}", "text": f"{'hello there ' * (1 + at % 3)}."} for at in range(ROWS)]
            manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        words, environment = command(
            "batch", manifest, "-o", "out", "--model", model_path, "--voice", "tim", "--phonemizer", "letters",
            "--max-ar-steps", "60", "--max-tries", "1", "--device", "cpu", "--batch-size", "2", "--engine", "eager",
            "--threads", "1", *flags,
        )  # fmt: skip
        return subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
        )

    return begin


def tree(folder: Path) -> Mapping[str, object]:
    """What a batch leaves: all but its journals, and of records all but times.

    A log probability is a float32 sum whose last digits depend on the rows beside it; the codes don't.
    """
    found: dict[str, object] = {}
    for path in sorted((folder / "out").rglob("*")):
        name = path.relative_to(folder / "out").as_posix()
        if name.startswith(("journal.", ".vall-e-batch")) or not path.is_file():
            continue
        if name.endswith(".wav.json"):
            record = json.loads(path.read_bytes())
            for part in record["parts"]:
                part["log_probability"] = pytest.approx(part["log_probability"], rel=1e-5)
            found[name] = {key: value for key, value in record.items() if key not in TIMES}
        else:
            found[name] = path.read_bytes()
    return found


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "out" / "journal.main.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def check_killed(start: Callable[..., Any], tmp_path: Path, kills: int, seed: int) -> None:
    """Kill a batch at random moments until it is done; compare it with one that nobody has disturbed."""
    chance = random.Random(seed)
    began = time.monotonic()
    whole = start(tmp_path / "whole")
    _, err = whole.communicate(timeout=250)
    assert whole.returncode in ENDED, err
    usual = time.monotonic() - began
    for _ in range(kills):
        running = start(tmp_path / "killed")
        time.sleep(chance.uniform(0.3, 1.0) * usual)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    last = start(tmp_path / "killed")
    _, err = last.communicate(timeout=250)
    assert last.returncode == whole.returncode, err
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    made = [line["id"] for line in journal(tmp_path / "killed")]
    assert sorted(made) == sorted(f"row{at}" for at in range(ROWS)), "each row once: none lost, none made twice"


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_nothing_had_happened(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    check_killed(start, tmp_path, int(os.environ.get("BATCH_KILLS", "4")), seed=1)


@pytest.mark.slow
def test_a_full_disk_ends_it_and_the_next_run_goes_on(start: Callable[..., Any], tmp_path: Path) -> None:
    """No file may grow beyond what two of the outputs need, as on a disk without room."""
    folder = tmp_path / "full"

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    full = start(folder, preexec_fn=little)
    out, err = full.communicate(timeout=250)
    assert full.returncode == 3, err
    assert "can't write" in err
    assert not [each.name for each in (folder / "out").glob("*.wav")]
    assert not [each.name for each in (folder / "out").glob(".vall-e-*.part")]
    free = start(folder, "--json")
    out, err = free.communicate(timeout=250)
    assert free.returncode in ENDED, err
    assert json.loads(out)["left"] == 0
    assert len(journal(folder)) == ROWS


@pytest.mark.slow
def test_an_interrupt_leaves_a_journal_that_the_next_run_reads(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "stopped"
    running = start(folder)
    until = time.monotonic() + 120
    while len(journal(folder)) < 2 and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode in (130, *ENDED), err
    done = len(journal(folder))
    rest = start(folder, "--json")
    out, err = rest.communicate(timeout=250)
    assert rest.returncode in ENDED, err
    assert json.loads(out)["kept"] >= done
    assert len(journal(folder)) == ROWS
