"""Running other Python processes: timing them, and asking one for its peak memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


class ProbeError(RuntimeError):
    """A probe ended without an answer; the message is the last line it said."""


def program() -> list[str]:
    """The installed `vall-e`, or the module where there is no script."""
    script = Path(sys.executable).with_name("vall-e")
    found = str(script) if script.is_file() else shutil.which("vall-e")
    return [sys.executable, "-m", "vall_e_core"] if found is None else [found]


def environment(threads: int | None) -> dict[str, str]:
    """Ours, with as many threads as are asked for."""
    return dict(os.environ) if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)}


@dataclass(frozen=True)
class Spent:
    """Seconds that a command took, by the clock and of the processor."""

    wall: float
    cpu: float


def time_command(command: Sequence[str], *, threads: int | None = None) -> Spent:
    """How long a command takes. Raises ProbeError if it fails."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment(threads))
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode != 0:
        raise ProbeError(_last(done.stderr) or f"exit code {done.returncode}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Spent(wall, cpu)


def probe(*arguments: str, threads: int | None = None) -> dict[str, Any]:
    """The answer of `python -m benchmarks.probe`. Raises ProbeError."""
    command = [sys.executable, "-m", "benchmarks.probe", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment(threads))
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise ProbeError(_last(done.stderr) or f"exit code {done.returncode}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _last(text: str) -> str:
    """What went wrong: the line that says `error`, or the last one."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return next((line for line in lines if line.lower().startswith("error")), lines[-1] if lines else "")
