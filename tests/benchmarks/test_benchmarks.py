"""The benchmarks run and say what they promise to say. How fast anything is, no test asks."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from importlib.util import find_spec
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


ROW = {"part", "key", "name", "value", "unit", "note", "least", "most", "rounds"}


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
    listed = "no such part: speed (there are startup, cold, memory, voice, speakers, pipeline, serve, batch, samplers, "
    assert listed in done.stderr


def test_what_can_not_be_measured_is_refused(tmp_path: Path) -> None:
    for wrong in (["--context", "15"], ["--contender", "nobody"]):
        done = subprocess.run([sys.executable, "-m", "benchmarks", "decode", *wrong], cwd=ROOT, capture_output=True)
        assert done.returncode == 2


@pytest.mark.slow
def test_contenders_and_context_bound_a_run(tmp_path: Path) -> None:
    """What a run of many rows is cut down with: no peer, no loop without a cache, a short prefill."""
    pytest.importorskip("onnxruntime")
    found, _ = measure(tmp_path, "decode", "--runs", "1", "--contender", "int8", "--context", "20")
    figures = values(found)
    assert found["settings"]["shape"]["context"] == 20 and found["settings"]["contenders"] == ["vall-e", "int8"]
    assert figures["decode.cpu.batch2.int8.over_batch1"] and figures["decode.cpu.batch1.vall-e"]
    assert not any("transformers" in key or "uncached" in key or "int4" in key for key in figures)


@pytest.mark.slow
def test_llama_cpp_is_held_against_weights_of_as_many_bits(tmp_path: Path) -> None:
    for package in ("xllamacpp", "gguf"):
        pytest.importorskip(package)
    kinds = ("llama-f32", "llama-q8_0", "llama-q4_0")
    asked = [flag for kind in (*kinds, "int8", "int4") for flag in ("--contender", kind)]
    found, printed = measure(tmp_path, "decode", "--runs", "1", *asked)
    figures = values(found)
    for batch in ("batch1", "batch2"):
        assert all(figures[f"decode.cpu.{batch}.{kind}"] for kind in kinds), printed
        pairs = {key for key in figures if key.startswith(f"decode.cpu.{batch}") and "over_llama" in key}
        mine = {"over_llama-f32", "int8.over_llama-q8_0", "int4.over_llama-q4_0"}
        assert pairs == {f"decode.cpu.{batch}.{each}" for each in mine}


def test_the_clock_of_the_process_is_for_one_thread() -> None:
    command = [sys.executable, "-m", "benchmarks", "decode", "--clock", "process", "--threads", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--threads 1" in done.stderr


@pytest.mark.once
@pytest.mark.slow
def test_everything_at_once_with_its_picture(tmp_path: Path) -> None:
    """All parts, the table of goals, and the plot: what `--quick` is for."""
    for package in ("transformers", "matplotlib", "onnxruntime", "uvicorn"):
        pytest.importorskip(package)
    picture = tmp_path / "out.png"
    found, printed = measure(tmp_path, "--runs", "1", "--clock", "process", "--plot", str(picture))
    figures = values(found)
    parts = {row["part"] for row in found["rows"]}
    assert parts == {
        "startup", "cold", "memory", "voice", "speakers", "pipeline", "serve", "batch", "samplers", "guards", "length",
        "decode", "quality",
    }
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000
    machine = found["machine"]
    assert found["format"] == 2 and machine["threads"] == 1 and machine["torch"] and machine["transformers"]
    assert "processor" in printed and "torch" in printed
    assert machine["commit"] and machine["load"] and machine["load at the end"]
    assert machine["command"].startswith("python -m benchmarks") and "--plot" in machine["command"]
    assert found["settings"]["shape"]["context"] == 40 and found["settings"]["batches"] == [1, 2]
    assert all(set(row) == {*ROW, "met"} and row["name"] in printed for row in found["rows"])
    goals = {goal["key"]: goal for goal in found["goals"]}
    assert len(goals) == 18 and all(goal["name"] in printed for goal in found["goals"])
    assert {goal["status"] for goal in goals.values()} == {"not measured"}, "a tiny shape is no measurement"
    assert all("a GPU" in goals[f"decode.cuda.batch{rows}.captured"]["note"] for rows in (1, 256))
    assert goals["memory.batch1.over_needed"]["value"] == figures["memory.batch1.over_needed"]
    base, peak = figures["memory.base"], figures["memory.batch1"]
    assert base is not None and peak is not None and 0 < base <= peak * 1.5
    assert {"startup.help", "startup.plugins", "startup.python"} <= set(figures)
    decoding_is_whole(figures)
    together = {f"serve.{what}{where}" for what in ("at_once", "streams") for where in ("", ".workers2")}
    served = {key: value for key, value in figures.items() if key.startswith("serve.")}
    assert set(served) == {"serve.first_over", *together} and None not in served.values(), printed
    for what in ("rtf", "first", "memory"):
        assert figures[f"speakers.vall-e.{what}"]
    whole = {key: value for key, value in figures.items() if key.startswith("pipeline.")}
    assert len(whole) == 25 and None not in whole.values(), printed
    rows = {key: value for key, value in figures.items() if key.startswith("batch.")}
    assert len(rows) == 7 and None not in rows.values(), printed
    for batch in ("batch1", "batch32"):
        for key in ("vall-e", "loop", "without_dry", "transformers", "over_transformers", "loop_over_varied", "share"):
            assert figures[f"samplers.{batch}.{key}"]
        assert figures[f"guards.{batch}"] == goals[f"guards.{batch}"]["value"]
    assert figures["guards.listen"] is not None and goals["guards.listen"]["goal"] == "at most 20"
    stages = [value for key, value in figures.items() if key.startswith("cold.") and key not in COLD_WHOLES]
    assert len(stages) == 13 and all(value is not None and value >= 0 for value in stages)
    exact, coarse = (figures[f"quality.level_0.{key}.kl"] for key in ("int8", "int4"))
    entropy = figures["quality.level_0.entropy"]
    assert exact is not None and coarse is not None and entropy is not None and 0 < exact < coarse < entropy


COLD_WHOLES = ("cold.wall", "cold.cpu")


def decoding_is_whole(figures: dict[str, float | None]) -> None:
    """Every figure that `decode` promises for a CPU is there, and a number."""
    for batch in ("batch1", "batch2"):
        for key in ("vall-e", "vall-e.whole", "transformers", "transformers.whole", "limit", "of_limit"):
            assert figures[f"decode.cpu.{batch}.{key}"]
        assert figures[f"decode.cpu.{batch}.over_transformers"]
    for key in ("int8", "int4"):
        assert figures[f"decode.cpu.batch2.{key}.over_batch1"] and figures[f"decode.cpu.weights.{key}"]
        for batch in ("batch1", "batch2"):
            for what in ("", ".limit", ".of_limit", ".over_vall-e", ".over_transformers"):
                assert figures[f"decode.cpu.{batch}.{key}{what}"]
    for key in ("uncached", "upstream"):
        assert figures[f"decode.cpu.batch1.{key}"] and figures[f"decode.cpu.batch1.over_{key}"]
    assert figures["decode.cpu.bandwidth"] and figures["decode.cpu.weights"]
    known = {key: value for key, value in figures.items() if "llama-" not in key or find_spec("xllamacpp")}
    mine = [value for key, value in known.items() if key.startswith(("decode.cpu.", "startup."))]
    assert all(value is not None and math.isfinite(value) and value > 0 for value in mine)
