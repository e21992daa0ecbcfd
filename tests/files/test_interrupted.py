"""An interrupt at any moment, between any two steps of what writes a file: nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MOMENTS = 400
"""More steps than writing two files takes."""
INTERRUPTED = """
import sys
from pathlib import Path
from vall_e_core import UsageError
from vall_e_files import open_output

def step(frame, event, argument):
    global seen
    if not frame.f_code.co_filename.replace("\\\\", "/").endswith("vall_e_files/atomic.py"):
        return None
    seen += 1
    if seen == moment:  # as a signal does
        raise KeyboardInterrupt
    return step

for moment in range(1, int(sys.argv[2])):
    folder, seen = Path(sys.argv[1]) / str(moment), 0
    sys.settrace(step)
    try:
        with open_output(folder / "a.wav", overwrite="overwrite" in sys.argv) as out:
            out.file.write(b"audio")
            out.commit(folder / "a.wav.json", b"record")
    except KeyboardInterrupt:
        continue
    except UsageError:
        pass
    finally:
        sys.settrace(None)
    print(moment)
    break
"""


def left(
    tmp_path: Path, environment: dict[str, str], there: dict[str, bytes], *flags: str
) -> list[dict[str, bytes]]:
    """What is in the folder, for each moment at which there was an interrupt, and at last without one."""
    for moment in range(1, MOMENTS):
        folder = tmp_path / str(moment)
        folder.mkdir()
        for name, data in there.items():
            (folder / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path), str(MOMENTS), *flags], env=environment, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    folders = [tmp_path / str(moment) for moment in range(1, int(done.stdout) + 1)]
    assert len(folders) > 50
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


def test_g4_an_interrupt_at_any_moment_leaves_both_files_or_neither(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    whole = {"a.wav": b"audio", "a.wav.json": b"record"}
    found = left(tmp_path, environment, {})
    assert [(at, each) for at, each in enumerate(found) if each not in ({}, whole)] == []
    assert found[0] == {} and found[-1] == whole


def test_g4_what_somebody_else_has_written_meanwhile_stays(tmp_path: Path, environment: dict[str, str]) -> None:
    theirs = {"a.wav.json": b"theirs"}
    assert [each for each in left(tmp_path, environment, theirs) if each != theirs] == []


@pytest.mark.parametrize("name", ["a.wav", "a.wav.json"])
def test_g4_an_existing_file_is_whole_before_and_after(tmp_path: Path, environment: dict[str, str], name: str) -> None:
    for found in left(tmp_path, environment, {name: b"older"}, "overwrite"):
        assert found[name] in (b"older", b"audio", b"record") and set(found) <= {"a.wav", "a.wav.json"}
