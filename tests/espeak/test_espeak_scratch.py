"""The copies that espeak's package makes of its library, in the temporary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SPEAK = """
import sys, time
from vall_e_core import BuildContext, Registry
model = Registry.load(third_party=False).get("phonemizer", "espeak")().build(BuildContext())
print(model.phonemize(["hello"], "en")[0], flush=True)
if sys.argv[1:] == ["wait"]:
    time.sleep(60)
"""


def run(place: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TMPDIR": str(place), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SPEAK, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and b"l" in process.stdout.readline()
    return process


@pytest.mark.slow
def test_d11_copies_of_a_killed_process_go_with_the_next_and_a_live_ones_stay(tmp_path: Path) -> None:
    """Regression: 600 kB stayed behind each time."""
    dead = run(tmp_path, "wait")
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    (left,) = tmp_path.iterdir()
    live = run(tmp_path, "wait")
    (held,) = set(tmp_path.iterdir()) - {left}
    for folder in (left, held):
        os.utime(folder, (time.time() - 600,) * 2)
    last = run(tmp_path)
    error = last.communicate()[1]
    assert last.returncode == 0 and error == b""
    assert list(tmp_path.iterdir()) == [held] and any(held.rglob("*espeak*"))
    live.send_signal(signal.SIGKILL)
    live.communicate()
