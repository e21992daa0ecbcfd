"""On a Ray cluster: takes chosen from several, what is listened to again, and a book. All is as it is locally."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tiny import subprocess_command

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_the_best_takes_are_chosen_and_listened_to(start: Callable[..., Any], nodes: Any, tmp_path: Path) -> None:
    trees, summaries = [], []
    for folder, runner in (("here", "local"), ("far", f"ray:{nodes.address}")):
        running = start(tmp_path / folder, "--runner", runner, "--best-of", "2", "--verify")
        summaries.append(running.end())
        trees.append(running.tree())
    here, far = trees
    assert here == far
    records = [json.loads(path.read_bytes()) for path in sorted((tmp_path / "far" / "out").glob("*.wav.json"))]
    assert len(records) == 12 and all(len(part["candidates"]) == 2 for each in records for part in each["parts"])
    assert summaries[0]["lost"] == summaries[1]["lost"]


def test_a_book_is_read_by_a_cluster(
    nodes: Any, model_path: Path, surroundings: Mapping[str, str], tmp_path: Path
) -> None:
    paragraphs = "\n\n".join(f"the canoe slid {'far ' * (at % 3)}away." for at in range(8))
    (tmp_path / "b.md").write_text(f"# One\n\n{paragraphs}\n\n# Two\n\nit slid far.\n")
    cues = []
    for name, runner in (("here", "local"), ("far", f"ray:{nodes.address}")):
        words, _ = subprocess_command(
            "book", tmp_path / "b.md", "-o", tmp_path / f"{name}.opus", "--model", model_path, "--voice", "tim",
            "--phonemizer", "letters", "--max-ar-steps", "30", "--max-tries", "1", "--device", "cpu", "--engine",
            "eager", "--threads", "1", "--seed", "7", "--skip-failed", "--runner", runner, "--json",
        )  # fmt: skip
        done = subprocess.run(words, env=dict(surroundings), capture_output=True, text=True, timeout=240)
        assert done.returncode in (0, 6), done.stderr  # a random model says nothing for a paragraph now and then
        assert json.loads(done.stdout)["rows"]["made"] == 11, "nine paragraphs and two titles"
        cues.append((tmp_path / f"{name}.srt").read_bytes())
    assert cues[0] == cues[1], "the same speech, to the millisecond"
