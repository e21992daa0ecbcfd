"""The benchmarks run and say what they promise to say. How fast anything is, no test asks."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def measure(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The JSON and the printed lines of one run."""
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "benchmarks", *arguments, "--quick", "--threads", "1", "--json", str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "plugins")))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found, done.stdout


def values(found: dict[str, Any]) -> dict[str, float | None]:
    """Every figure by its key; no key comes twice."""
    rows = found["rows"]
    by_key = {row["key"]: row["value"] for row in rows}
    assert len(by_key) == len(rows)
    return by_key


def test_decoding_and_startup(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    found, printed = measure(tmp_path, "decode", "startup", "--runs", "1", "--clock", "process")
    assert found["format"] == 1
    assert found["machine"]["threads"] == 1 and found["machine"]["torch"] and found["machine"]["transformers"]
    assert found["settings"]["shape"]["context"] == 40 and found["settings"]["batches"] == [1, 2]
    figures = values(found)
    for batch in ("batch1", "batch2"):
        for key in ("vall-e", "vall-e.whole", "transformers", "transformers.whole", "limit", "of_limit"):
            assert figures[f"decode.cpu.{batch}.{key}"]
        assert figures[f"decode.cpu.{batch}.over_transformers"]
    pytest.importorskip("onnxruntime")
    for key in ("int8", "int4"):
        assert figures[f"decode.cpu.batch2.{key}.over_batch1"] and figures[f"decode.cpu.weights.{key}"]
        for batch in ("batch1", "batch2"):
            for what in ("", ".limit", ".of_limit", ".over_vall-e", ".over_transformers"):
                assert figures[f"decode.cpu.{batch}.{key}{what}"]
    for key in ("uncached", "upstream"):
        assert figures[f"decode.cpu.batch1.{key}"] and figures[f"decode.cpu.batch1.over_{key}"]
    assert figures["decode.cpu.bandwidth"] and figures["decode.cpu.weights"]
    assert {"startup.help", "startup.plugins", "startup.python"} <= set(figures)
    assert all(value is not None and math.isfinite(value) and value > 0 for value in figures.values())
    assert all(set(row) == {*ROW, "met"} for row in found["rows"])
    assert all(row["name"] in printed for row in found["rows"])
    assert "processor" in printed and "torch" in printed


def test_samplers(tmp_path: Path) -> None:
    found, _ = measure(tmp_path, "samplers", "--runs", "1")
    figures = values(found)
    for batch in ("batch1", "batch32"):
        for key in ("vall-e", "loop", "without_dry", "transformers", "over_transformers", "loop_over_varied", "share"):
            assert figures[f"samplers.{batch}.{key}"]


ROW = {"part", "key", "name", "value", "unit", "note", "least", "most"}


@pytest.mark.slow
def test_memory(tmp_path: Path) -> None:
    found, _ = measure(tmp_path, "memory", "--batch", "1")
    figures = values(found)
    base, peak = figures["memory.base"], figures["memory.batch1"]
    assert base is not None and peak is not None and 0 < base <= peak * 1.5
    assert figures["memory.batch1.over_weights"]
    assert "memory.tts" in figures  # a figure, or "not available"


@pytest.mark.slow
def test_a_voice_that_is_not_there_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALL_E_DISABLE", "mini")
    found, printed = measure(tmp_path, "voice")
    assert [row["value"] for row in found["rows"]] == [None]
    assert found["rows"][0]["met"] is None and "not available" in printed


def test_an_unknown_part_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "no such part: speed (there are startup, memory, voice, samplers, decode)" in done.stderr


def test_the_clock_of_the_process_is_for_one_thread() -> None:
    command = [sys.executable, "-m", "benchmarks", "decode", "--clock", "process", "--threads", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--threads 1" in done.stderr
