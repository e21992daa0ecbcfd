"""`vall-e batch`: exit codes, what it prints, and what lies in the folder afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

LINES = ["hello there", "and so few", "really the last"]


@pytest.fixture
def run(cli: Callable[..., Any]) -> Callable[..., Any]:
    """The program, whatever its exit code."""
    return lambda *words: cli(*words, code=None)


@pytest.fixture
def batch(run: Callable[..., Any], model_path: Path, tmp_path: Path) -> Callable[..., Any]:
    """`batch("flag", …)` on a manifest of three lines."""
    (tmp_path / "m.txt").write_text("\n".join(LINES), "utf-8")

    def call(*flags: str, manifest: str = "m.txt", output: bool = True) -> Any:
        where = ("-o", str(tmp_path / "out")) if output else ()
        return run(
            "batch", str(tmp_path / manifest), *where, "--model", str(model_path), "--voice", "tim", "--phonemizer",
            "letters", "--max-ar-steps", "20", "--max-tries", "1", "--device", "cpu", *flags,
        )  # fmt: skip

    return call


def test_a_manifest_becomes_files_and_a_summary(batch: Callable[..., Any], tmp_path: Path, run: Any) -> None:
    first = batch("--json")
    assert first.code == 0, first.stderr
    summary = first.json()
    assert (summary["rows"], summary["done"], summary["made"], summary["left"]) == (3, 3, 3, 0)
    again = batch("--json").json()
    assert (again["done"], again["made"], again["kept"]) == (3, 0, 3)
    assert sorted(each.name for each in (tmp_path / "out").glob("*.wav")) == [f"00000{n}.wav" for n in (1, 2, 3)]
    status = run("batch", "status", str(tmp_path / "out"), "--json").json()
    assert (status["rows"], status["done"], status["left"], status["running"]) == (3, 3, 0, False)


@pytest.mark.slow
def test_a_record_makes_the_same_again(batch: Callable[..., Any], tmp_path: Path, run: Any) -> None:
    batch()
    made = tmp_path / "out" / "000002.wav"
    assert run("tts", "--from", str(made) + ".json", "-o", str(tmp_path / "same.wav")).code == 0
    assert (tmp_path / "same.wav").read_bytes() == made.read_bytes()


def test_exit_codes(batch: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\nnothing\n')
    refused = batch(manifest="bad.jsonl")
    assert refused.code == 2
    assert "line 1: no text" in refused.stderr
    assert "line 2: not valid JSON" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert batch(manifest="none.txt").code == 3
    assert batch(output=False).code == 2
    assert batch("--shard", "4/4").code == 2
    assert batch("--export", "kaldi").code == 2
    assert batch("--model", str(tmp_path / "none.sft")).code == 4
    (tmp_path / "fails.txt").write_text("fine\n(((\n)))\n")
    failed = batch(manifest="fails.txt")
    assert failed.code == 6
    assert "2 of 3 rows failed" in failed.stderr
    stopped = batch("--fail-fast", "--restart", "--batch-size", "1", manifest="fails.txt")
    assert stopped.code == 6
    (tmp_path / "file").write_text("x")
    assert batch("-o", str(tmp_path / "file")).code == 3


def test_strict_counts_what_may_be_wrong(batch: Callable[..., Any]) -> None:
    loose = batch("--max-ar-steps", "3", "--json")
    assert loose.code == 0, loose.stderr
    assert loose.json()["flagged"] == 3
    assert batch("--max-ar-steps", "3", "--strict").code == 6


def test_a_part_of_a_recording_is_what_nemo_s_offset_and_duration_say(
    batch: Callable[..., Any], tmp_path: Path, reference: Path, run: Any
) -> None:
    samples, rate = soundfile.read(reference)
    soundfile.write(tmp_path / "part.wav", samples[int(0.25 * rate) : int(1.25 * rate)], rate, subtype="FLOAT")
    row = {"audio_filepath": str(reference), "text": "hello there", "voice": None}
    lines = [{**row, "offset": 0.25, "duration": 1.0}, {**row, "offset": 90, "duration": 1.0}]
    (tmp_path / "n.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert batch(manifest="n.jsonl").code == 6, "the second begins behind the end"
    record = json.loads((tmp_path / "out" / "000001.wav.json").read_text("utf-8"))
    used = Path(record["references"][0]["path"])
    assert used.parent == tmp_path / "out" / "references"
    assert soundfile.info(used).duration == 1.0
    again = run("tts", "--from", str(tmp_path / "out" / "000001.wav.json"), "-o", str(tmp_path / "same.wav"))
    assert again.code == 0, again.stderr
    assert (tmp_path / "same.wav").read_bytes() == (tmp_path / "out" / "000001.wav").read_bytes()
    assert batch("--task", "stt", "-o", str(tmp_path / "heard"), manifest="n.jsonl").code == 6
    (tmp_path / "p.jsonl").write_text(json.dumps({"audio": "part.wav"}))
    assert batch("--task", "stt", "-o", str(tmp_path / "alone"), manifest="p.jsonl").code == 0
    heard, alone = (tmp_path / name / "000001.txt" for name in ("heard", "alone"))
    assert heard.read_text("utf-8") == alone.read_text("utf-8")


def test_finished_files_are_heard_once_and_what_is_missing_is_told(
    batch: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vall_e_core import VallE

    asked: list[int] = []
    said: dict[str, str] = {}

    class Heard:
        phonemes = ""

    def hear(self: VallE, clip: Any, *_: Any, **__: Any) -> Heard:
        asked.append(len(clip.samples))
        found = Heard()
        found.phonemes = said.get("next") or LINES[len(asked) - 1]
        return found

    assert batch().code == 0
    monkeypatch.setattr(VallE, "hear", hear)
    good = batch("--verify", "--json")
    assert good.code == 0, good.stderr
    assert (good.json()["made"], good.json()["lost"]) == (0, 0)
    assert len(asked) == 3
    kept = tmp_path / "out" / "verify.main.jsonl"
    kept.write_bytes(kept.read_bytes() + b'{"id": "torn')
    assert batch("--verify", "--json").json()["lost"] == 0
    assert len(asked) == 3
    said["next"] = "hello"
    (tmp_path / "m.txt").write_text("\n".join([*LINES[:2], "hello and goodbye"]), "utf-8")
    bad = batch("--verify", "--strict", "--json")
    assert bad.code == 6, bad.stderr
    assert bad.json()["lost"] == 1
    assert "000003: not heard: and goodbye" in bad.stderr
    assert len(asked) == 4
    lines = [json.loads(line) for line in kept.read_bytes().splitlines()[:3]]
    assert [line["id"] for line in lines] == ["000001", "000002", "000003"]
    assert batch("--verify", "--format", "codes").code == 2


def test_the_best_of_several_takes(batch: Callable[..., Any], tmp_path: Path) -> None:
    assert batch("--best-of", "2", "--scorer", "length").code == 0
    record = json.loads((tmp_path / "out" / "000001.wav.json").read_text("utf-8"))
    assert [each["candidate"] for each in record["parts"][0]["candidates"]] == [0, 1]


def test_a_dry_run_makes_nothing(batch: Callable[..., Any], tmp_path: Path) -> None:
    told = batch("--dry-run", "--json").json()
    assert told["rows"] == 3
    assert told["expected_seconds"] > 0
    assert told["expected_time"] > 0
    assert not (tmp_path / "out").exists()


def test_exports_can_be_read_back(batch: Callable[..., Any], tmp_path: Path) -> None:
    assert batch("--export", "ljspeech,nemo,lhotse").code == 0
    out = tmp_path / "out"
    lines = (out / "metadata.csv").read_text("utf-8").splitlines()
    assert lines[0].split("|")[:2] == ["000001", LINES[0]]
    nemo = [json.loads(line) for line in (out / "nemo.jsonl").read_text("utf-8").splitlines()]
    recordings = [json.loads(line) for line in (out / "recordings.jsonl").read_text("utf-8").splitlines()]
    told = [json.loads(line) for line in (out / "supervisions.jsonl").read_text("utf-8").splitlines()]
    for line, recording, supervision in zip(nemo, recordings, told, strict=True):
        info = soundfile.info(out / line["audio_filepath"])
        assert recording["num_samples"] == info.frames
        assert recording["sampling_rate"] == info.samplerate
        assert abs(line["duration"] - info.duration) < 1e-3
        assert supervision["recording_id"] == recording["id"]
    assert [line["text"] for line in nemo] == LINES


def test_an_openai_batch_has_its_own_output_form(batch: Callable[..., Any], tmp_path: Path) -> None:
    rows = [
        {"custom_id": name, "method": "POST", "url": "/v1/audio/speech",
         "body": {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "wav"}}
        for name, text in (("one", "hello"), ("two", "((("))
    ]  # fmt: skip
    (tmp_path / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert batch(manifest="o.jsonl").code == 6
    one, two = [json.loads(line) for line in (tmp_path / "out" / "openai.jsonl").read_text("utf-8").splitlines()]
    assert one["custom_id"] == "one"
    assert one["response"]["status_code"] == 200
    assert (tmp_path / "out" / one["response"]["body"]["file"]).is_file()
    assert two["response"] is None
    assert "nothing to say" in two["error"]["message"]


def test_a_folder_of_recordings_is_transcribed_once(
    batch: Callable[..., Any], tmp_path: Path, reference: Path, run: Any, model_path: Path
) -> None:
    folder = tmp_path / "sounds" / "inner"
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(reference.read_bytes())
    (folder / "b.wav").write_bytes(b"no sound")
    first = batch("--task", "stt", "--json", manifest="sounds")
    assert first.code == 6
    results = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()]
    assert [line["id"] for line in results] == ["inner-a", "inner-b"]
    assert [line["status"] for line in results] == ["done", "failed"]
    heard = run("stt", str(folder / "a.wav"), "--model", str(model_path), "--device", "cpu", "--json")
    assert results[0]["phonemes"] == heard.json()["phonemes"]
    assert (tmp_path / "out" / "inner" / "a.txt").read_text("utf-8") == f"{results[0]['phonemes']}\n"
    assert batch("--task", "stt", "--json", manifest="sounds").json()["made"] == 0
