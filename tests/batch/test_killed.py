"""A batch that is killed, whose disk is full, or that is interrupted: nothing is lost and nothing is made twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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
    """What a batch leaves: all but its journals, and of records all but times."""
    found: dict[str, object] = {}
    for path in sorted((folder / "out").rglob("*")):
        name = path.relative_to(folder / "out").as_posix()
        if name.startswith(("journal.", ".vall-e-batch")) or not path.is_file():
            continue
        if name.endswith(".wav.json"):
            record = json.loads(path.read_bytes())
            found[name] = {key: value for key, value in record.items() if key not in TIMES}
        else:
            found[name] = path.read_bytes()
    return found


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "out" / "journal.main.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def check_killed(start: Callable[..., Any], tmp_path: Path, kills: int, seed: int) -> None:
    """Kill batches at random moments until they are done; compare each with one that nobody has disturbed."""
    chance = random.Random(seed)
    whole = start(tmp_path / "whole")
    _, err = whole.communicate(timeout=250)
    assert whole.returncode in ENDED, err
    number = 0
    while kills > 0:
        number += 1
        folder = tmp_path / f"killed{number}"
        running = start(folder)
        while kills > 0 and wait_somewhere(running, folder, chance):
            running.send_signal(signal.SIGKILL)
            running.communicate()
            kills -= 1
            running = start(folder)
        _, err = running.communicate(timeout=250)
        assert running.returncode == whole.returncode, err
        assert tree(folder) == tree(tmp_path / "whole"), f"batch {number}, {kills} kills left"
        made = [line["id"] for line in journal(folder)]
        assert sorted(made) == sorted(f"row{at}" for at in range(ROWS)), "each row once: none lost, none made twice"


def wait_somewhere(running: Any, folder: Path, chance: random.Random) -> bool:
    """Wait until some more rows are done, and a little longer. Whether it still runs."""

    def rows() -> int:
        path = folder / "out" / "journal.main.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    goal, until = rows() + chance.choice((0, 1, 1, 2, 3)), time.monotonic() + 250
    while rows() < goal and running.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.2))
    return bool(running.poll() is None)


@pytest.mark.once
@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_nothing_had_happened(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    check_killed(start, tmp_path, int(os.environ.get("BATCH_KILLS", "4")), seed=1)


@pytest.mark.once
@pytest.mark.slow
def test_the_rows_of_a_killed_process_are_made_by_another(start: Callable[..., Any], tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    running = start(tmp_path / "killed", "--engine-workers", "2", "--json")
    until = time.monotonic() + 250
    while not journal(tmp_path / "killed") and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    for process in engines_of(running.pid)[:1]:
        os.kill(process, signal.SIGKILL)
    out, err = running.communicate(timeout=250)
    _, whole_err = whole.communicate(timeout=250)
    assert running.returncode == whole.returncode, (err, whole_err)
    summary = json.loads(out)
    assert (summary["done"] + summary["failed"], summary["crashed"]) == (ROWS, 0)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def engines_of(parent: int) -> list[int]:
    """The processes that a process has started to make speech."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return sorted(found)


@pytest.mark.slow
def test_a_full_disk_ends_it_and_the_next_run_goes_on(
    no_larger: Callable[[int], Callable[[], None]], start: Callable[..., Any], tmp_path: Path
) -> None:
    """No file may grow beyond what two of the outputs need, as on a disk without room."""
    folder = tmp_path / "full"
    full = start(folder, preexec_fn=no_larger(1500))
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
