"""Arguments: text, references and output from words or flags, files and pipes."""


from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from babble import babble

COMMON = ("--phonemizer", "letters", "--device", "cpu", "--seed", 1)


def record(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(f"{path}.json").read_text("utf-8"))
    return found


def codes(path: Path) -> list[str]:
    return [part["codes_sha256"] for part in record(path)["parts"]]


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A reference of another rate and channel count."""
    path = tmp_path / "second.wav"
    wave = babble(1, 44_100)
    soundfile.write(path, np.stack([wave, wave], axis=1), 44_100)
    return path


@pytest.mark.slow
def test_words_and_names_say_the_same(cli: Any, model_path: Path, reference: Path, tmp_path: Path) -> None:
    a, b, c = (tmp_path / f"{name}.wav" for name in "abc")
    text = tmp_path / "text.txt"
    text.write_text("hello there")
    cli("tts", "hello there", reference, a, "--model", model_path, *COMMON)
    cli("tts", "-f", text, "--ref", reference, "-o", b, "--model", model_path, *COMMON)
    cli("tts", "--text", "hello there", reference, "--out-path", c, "--model", model_path, *COMMON)
    assert codes(a) == codes(b) == codes(c)
    assert a.read_bytes() == b.read_bytes() == c.read_bytes()


@pytest.mark.slow
def test_several_references_join_whatever_their_rates_and_channels(
    cli: Any, model_path: Path, reference: Path, second: Path, tmp_path: Path
) -> None:
    """Regression: references of different sample rates were refused by a bare assertion."""
    a, b = tmp_path / "a.wav", tmp_path / "b.wav"
    cli("tts", "hi there", f"{reference};{second}", a, "--model", model_path, *COMMON)
    cli("tts", "hi there", b, "--ref", reference, "--ref", second, "--model", model_path, *COMMON)
    assert codes(a) == codes(b) and record(a)["prompt"]["frames"] == 150
    assert [Path(each["path"]).name for each in record(a)["references"]] == ["ref.wav", "second.wav"]


def test_a_file_name_may_hold_a_semicolon(cli: Any, model_path: Path, reference: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a;b.wav"
    odd.write_bytes(reference.read_bytes())
    cli("tts", "hi there", odd, tmp_path / "o.wav", "--model", model_path, *COMMON)
    assert len(record(tmp_path / "o.wav")["references"]) == 1


def test_a_packaged_voice_needs_no_reference(cli: Any, model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.wav"
    cli("tts", "hi there", out, "--voice", "tim", "--model", model_path, *COMMON)
    assert record(out)["references"][0]["voice"] == "tim"
    assert record(out)["prompt"]["transcript"] == "la la la"


def test_text_comes_from_standard_input(
    cli: Any, model_path: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, words in enumerate((["-"], ["-f", "-"])):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hello there\n")))
        out = tmp_path / f"{i}.wav"
        cli("tts", *words, reference, out, "--model", model_path, *COMMON)
        assert record(out)["spoken"] == "hello there"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no text"), (["hello"], "no reference"), (["hello", "REF"], "no reference"),
        (["hello", "REF", "OUT", "more"], "too many"), (["hello", "REF", "OUT", "--voice", "tim"], "too many"),
        (["hello", "--voice", "tim"], "no file to write"), (["hello", "--ref", "REF"], "no file to write"),
        (["hello", "OUT", "--voice", "tim", "--ref", "REF"], "both give the reference"),
        (["REF", "OUT", "--text", "a", "-f", "REF"], "both give the text"),
        (["hello", "REF", "OUT.xyz"], "unknown suffix"), (["hello", "REF", "OUT", "--voise", "tim"], "--voice"),
        (["hello", "OUT", "--voice", "timm"], "tim"),
    ],
)  # fmt: skip
def test_words_that_do_not_fit_are_explained(
    cli: Any, reference: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    there = {"REF": str(reference), "OUT": str(tmp_path / "o.wav"), "OUT.xyz": str(tmp_path / "o.xyz")}
    done = cli("tts", *(there.get(word, word) for word in words), code=2)
    assert says in done.stderr and done.stderr.startswith("error: ") and "  try:   " in done.stderr


def test_text_file_faults_are_input_errors(cli: Any, reference: Path, tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes("grün".encode("latin-1"))
    done = cli("tts", "-f", latin, reference, tmp_path / "o.wav", code=3)
    assert "offset 2" in done.stderr
    assert cli("tts", "-f", tmp_path / "none.txt", reference, tmp_path / "o.wav", code=3).stderr.count("none.txt")


def test_the_task_may_be_named_by_a_flag(cli: Any, model_path: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.wav"
    cli("--task", "tts", "hello there", reference, out, "--model", model_path, *COMMON)
    heard = cli("tts", "--task", "stt", out, "--model", model_path, "--device", "cpu").stdout
    assert heard == cli("stt", out, "--model", model_path, "--device", "cpu").stdout
    assert heard == cli("--task", "stt", out, "--model", model_path, "--device", "cpu", "--task", "stt").stdout


@pytest.mark.slow
def test_the_seed_is_chosen_and_printed_when_none_is_given(tts: Any) -> None:
    done = tts.run(seed=None)
    seed = tts.record()["seed"]
    assert f"seed: {seed}\n" in done.stderr
    assert tts.record()["parts"][0]["codes_sha256"] == tts("--seed", seed, seed=None)["parts"][0]["codes_sha256"]


def test_device_auto_says_what_it_chose_and_why(tts: Any) -> None:
    done = tts.run("--device", "auto")
    assert "device: " in done.stderr and tts.record()["device_reason"] in done.stderr


@pytest.mark.slow
def test_quiet_says_nothing_and_json_prints_the_record_alone(tts: Any) -> None:
    assert tts.run("-q", seed=None).stderr == ""
    done = tts.run("--json")
    assert json.loads(done.stdout) == tts.record() and done.stdout.count("\n") == 1


def test_verbose_prints_the_effective_chain_with_its_numbers(tts: Any) -> None:
    done = tts.run("-v", "--top-p", 0.8)
    assert "ar chain: top-p:p=0.8 → temperature:t=0.95 → multinomial" in done.stderr
    assert "nar chain: " in done.stderr and "greedy" in done.stderr and "timings: " in done.stderr


def test_progress_is_drawn_on_a_terminal_only(tts: Any) -> None:
    assert "\r" not in tts.run().stderr


@pytest.mark.slow
def test_the_default_chain_is_the_checkpoints_advice(tts: Any, make_model: Any, tmp_path: Path) -> None:
    advice = {"ar_temperature": 0.6, "top-k": 7, "input-prompt-length": 1}
    advised = make_model(tmp_path / "m.sft", extra={"advice": advice})
    chain = tts(model=advised)["samplers"]["ar"]
    numbers = [(each["name"], next(iter(each["parameters"].values()))) for each in chain[:2]]
    assert numbers == [("top-k", 7), ("temperature", 0.6)]
    assert tts.record()["prompt"]["frames"] == 50
    assert tts("--ar-temp", 0.9, model=advised)["samplers"]["ar"][1]["parameters"]["t"] == 0.9
    assert tts("--input-prompt-length", 2, model=advised)["prompt"]["frames"] == 100


def test_a_reference_may_start_with_a_dash_and_text_too(cli: Any, model_path: Path, tts: Any) -> None:
    record = tts("--ar-temp", 0.9, "--", text="x")
    assert record["text"] == "x"


@pytest.mark.parametrize(
    "text", ["-5 degrees", "@file", "$(touch canary) there", "%s %d", "a\nb", "a\r\nb", "\ufeffhello"]
)
def test_b6_text_is_taken_literally(cli: Any, model_path: Path, reference: Path, tmp_path: Path, text: str) -> None:
    out = tmp_path / "o.wav"
    cli(
        "tts", "--model", model_path, *COMMON, "--unk", "skip", "--normalizer", "none", "--max-ar-steps", 9, "--", text,
        reference, out,
    )  # fmt: skip
    given = text.removeprefix("\ufeff")
    assert record(out)["text"] == given and record(out)["spoken"] in (given, "a. b")
    assert not (tmp_path / "canary").exists() and not Path("canary").exists()
