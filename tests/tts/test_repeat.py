"""`--from OUT.wav.json` repeats a run bit for bit, and says when it can't."""


from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TEXT = "The first sentence stands here. The second one is there, and longer."


def repeat(tts: Any, record: Path, *flags: object, code: int = 0) -> Any:
    tts.count += 1
    return tts.cli("tts", "--from", record, tts.out, *flags, code=code)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        (), ("--top-p", 0.7, "--min-ar-temp", 0.3), ("--sampler", "top-k:9", "--sampler", "temperature:0.7"),
        ("--nar-temp", 0.7), ("--nar-sampler", "top-k:5", "--ar-temp", 0.6), ("--refine-on-stop",),
        ("--max-ar-steps", "0.8s"), ("--input-prompt-prefix", "--ref-text", "la la"),
        ("--language", "de", "--pause", 0.3), ("--set", "lang_mode=false"), ("--cfg-strength", 2),
        ("--layer-skip", "--layer-skip-exit-layer", 3), ("--codec", "tiny:gain=0.2"),
    ],
)  # fmt: skip
def test_a_run_is_repeated_bit_for_bit(tts: Any, flags: tuple[object, ...]) -> None:
    before = tts(*(() if "--max-ar-steps" in flags else ("--max-ar-steps", 30)), *flags, text=TEXT)
    audio, path = tts.out.read_bytes(), Path(f"{tts.out}.json")
    repeat(tts, path)
    after = tts.record()
    assert tts.out.read_bytes() == audio
    assert after["arguments"] == before["arguments"] and after["samplers"] == before["samplers"]
    assert after["seed"] == before["seed"] == 1


@pytest.mark.slow
def test_a_run_without_a_seed_is_repeated_too(tts: Any) -> None:
    tts.run(seed=None)
    audio = tts.out.read_bytes()
    repeat(tts, Path(f"{tts.out}.json"))
    assert tts.out.read_bytes() == audio


@pytest.mark.slow
def test_further_flags_change_what_is_repeated(tts: Any) -> None:
    tts.run("--sampler", "top-k:9")
    record = Path(f"{tts.out}.json")
    audio = tts.out.read_bytes()
    repeat(tts, record, "--seed", 2)
    assert tts.record()["seed"] == 2 and tts.out.read_bytes() != audio
    repeat(tts, record, "--sampler", "top-p:0.95")
    assert tts.record()["samplers"]["ar"][0]["name"] == "top-p"
    repeat(tts, record, "--text", "another text")
    assert tts.record()["text"] == "another text"
    repeat(tts, record, "--voice", "tim")
    assert tts.record()["references"][0]["voice"] == "tim"


@pytest.mark.slow
def test_a_voice_and_a_relative_model_are_repeated_from_anywhere(
    tts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tts.model.parent)
    out = tmp_path / "a.wav"
    tts.cli(
        "tts", "hello there", out, "--voice", "tim", "--model", tts.model.name, "--phonemizer", "letters",
        "--device", "cpu",
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    tts.cli("tts", "--from", "a.wav.json", "-o", "b.wav")
    assert Path("b.wav").read_bytes() == out.read_bytes()


def test_a_changed_reference_is_noticed(tts: Any) -> None:
    tts.run()
    record = Path(f"{tts.out}.json")
    tts.reference.write_bytes(tts.reference.read_bytes() + b"\0\0")
    assert "has changed" in repeat(tts, record, code=3).stderr


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"arguments": {}, "format": 99}', '{"arguments": 3, "format": 1}']
)
def test_what_is_no_record_is_refused(tts: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(content)
    assert "record" in repeat(tts, path, code=3).stderr
    assert "can't read the record" in repeat(tts, tmp_path / "none.json", code=3).stderr


def test_a_record_with_an_unknown_key_is_a_usage_error(tts: Any) -> None:
    tts.run()
    path = Path(f"{tts.out}.json")
    record = json.loads(path.read_text())
    record["arguments"]["colour"] = "red"
    path.write_text(json.dumps(record))
    assert "colour" in repeat(tts, path, code=2).stderr
