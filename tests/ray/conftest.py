"""A small Ray cluster, and batches that run on it or locally."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tiny import subprocess_command

ROWS = 12
TIMES = ("created", "timings", "rtf")
LONG = 240
"""Seconds after which something hangs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("ray") is None:
        for item in items:
            if item.get_closest_marker("ray") is not None:
                item.add_marker(pytest.mark.skip(reason='needs ray: pip install "vall-e[ray]"'))


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the cluster and of what uses it."""
    home = tmp_path_factory.mktemp("home")
    return {
        **subprocess_command()[1], "HOME": str(home), "VALL_E_HOME": str(home), "VALL_E_VOICES": os.devnull,
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "ab" * 32, "VALL_E_TINY_GATE": str(home / "gate"),
    }  # fmt: skip


class Nodes:
    """The cluster: two nodes with one processor each, so two actors."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("cluster.py"))], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.address = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self, command: str) -> None:
        """`add` or `remove` a node."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._answer() == self.address

    def actors(self) -> list[int]:
        """The processes of actors."""
        parents: dict[int, int] = {}
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
                if (each / "cmdline").read_bytes().startswith(b"ray::RowActor"):
                    found.append(int(each.name))
            except OSError:
                continue  # it has ended
        return sorted(pid for pid in found if self._process.pid in _above(pid, parents))

    def holding(self, number: int) -> bool:
        """Whether so many actors have been given rows: Ray names a process by what it is doing."""
        titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in self.actors()]
        return len(titles) == number and all(b".make" in each for each in titles)

    def close(self) -> None:
        self._process.communicate(timeout=LONG)


def _above(pid: int, parents: Mapping[int, int]) -> list[int]:
    found: list[int] = []
    while pid in parents and parents[pid] > 1:
        pid = parents[pid]
        found.append(pid)
    return found


@pytest.fixture(scope="session")
def nodes(surroundings: dict[str, str]) -> Iterator[Nodes]:
    for _ in range(3):  # Ray gives its processes 30 s, in which a busy machine may not start them
        made = Nodes(surroundings)
        if made.address:
            break
        made.close()
    assert made.address, "the cluster doesn't start"
    yield made
    made.close()


class Running:
    """A batch as a process, into `folder`/out."""

    def __init__(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> dict[str, Any]:
        """Its summary, once it is over."""
        out, err = self.process.communicate(timeout=LONG)
        assert self.process.returncode in (0, 6), err  # a random model says nothing for a row now and then
        found: dict[str, Any] = json.loads(out)
        return found

    def journal(self) -> list[dict[str, Any]]:
        """What it has done so far."""
        path = self.folder / "out" / "journal.main.jsonl"
        data = path.read_bytes() if path.exists() else b""
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    def tree(self) -> dict[str, object]:
        """What it leaves, but for its journal, and in records for times and the processor's name."""
        found: dict[str, object] = {}
        for path in sorted((self.folder / "out").rglob("*")):
            name = path.relative_to(self.folder / "out").as_posix()
            if name.startswith(("journal.", ".vall-e-batch")) or not path.is_file():
                continue
            if name.endswith(".wav.json"):
                record = json.loads(path.read_bytes())
                record["batch"].pop("processor", None)
                found[name] = {key: value for key, value in record.items() if key not in TIMES}
            else:
                found[name] = path.read_bytes()
        return found


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def start(model_path: Path, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Start:
    """`start(folder, "flag", …)`: a batch of twelve short rows as a process of its own.

    With `known=False` it doesn't know the cluster's settings.
    """
    manifest = tmp_path_factory.mktemp("manifest") / "m.jsonl"
    rows = [{"id": f"row{at}", "text": f"{'hello there ' * (1 + at % 3)}."} for at in range(ROWS)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def begin(folder: Path, *flags: str, known: bool = True) -> Running:
        words, _ = subprocess_command(
            "batch", manifest, "-o", "out", "--model", model_path, "--voice", "tim", "--phonemizer", "letters",
            "--max-ar-steps", "60", "--max-tries", "1", "--device", "cpu", "--batch-size", "1", "--engine", "eager",
            "--threads", "1", "--json", *flags,
        )  # fmt: skip
        own = {name: value for name, value in surroundings.items() if known or not name.startswith("RAY_")}
        return Running(words, folder, own)

    return begin


@pytest.fixture(autouse=True)
def gate(surroundings: dict[str, str]) -> Path:
    """While this file isn't there, no row gets anywhere; it is there at first."""
    found = Path(surroundings["VALL_E_TINY_GATE"])
    found.touch()
    return found


@pytest.fixture(scope="session")
def local(
    start: Start, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, object]:
    """What the batch leaves when nothing disturbs it and no cluster takes part."""
    Path(surroundings["VALL_E_TINY_GATE"]).touch()
    running = start(tmp_path_factory.mktemp("local"))
    running.end()
    return running.tree()
