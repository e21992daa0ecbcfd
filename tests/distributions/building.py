"""Wheels, and environments in which they are installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
SENTENCE = "The boat slid away."


def build_wheel(source: Path, target: Path) -> Path:
    """Build the wheel of the project in `source` into `target`."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = target.glob("*.whl")
    return wheel


class Venv:
    """A fresh virtual environment. Third-party dependencies (torch, …) come from the running one; ours never do,
    because the environment's own folder is searched first."""

    def __init__(self, folder: Path, *wheels: Path) -> None:
        venv.create(folder, with_pip=False)
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        (packages,) = folder.glob("**/site-packages")
        there = [each for each in sys.path if each.endswith("site-packages")]
        (packages / "dependencies.pth").write_text("\n".join(there))
        python = self.bin / "python"
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
        # what the running environment has installed, our wheel perhaps among it, is none of this one's
        subprocess.run([*command, "--ignore-installed", *map(str, wheels)], check=True)

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VALL_E", "COV"))}
        program = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(program, capture_output=True, text=True, env=clean | env, cwd=self.bin, timeout=300)

    def listed(self, what: str) -> list[dict[str, object]]:
        """`vall-e plugins list`, `vall-e samplers list`."""
        done = self.run("vall-e", what, "list", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, object]] = json.loads(done.stdout)
        return found

    def plugins(self) -> list[dict[str, object]]:
        return self.listed("plugins")

    def samplers(self) -> set[object]:
        return {each["name"] for each in self.listed("samplers")}
