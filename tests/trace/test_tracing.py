"""`--trace`, `samplers explain` and `samplers plot`, through the program and the API."""


from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vall_e_core import InputError, Registry, UsageError, VallE
from vall_e_trace import TraceLog
from vall_e_trace.file import read_trace

TEXT = "The first sentence stands here. The second one is there, and longer."


@pytest.fixture
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def speak(engine: VallE, **settings: Any) -> Any:
    usual = {"phonemizer": "letters", "seed": 1, "trace": True, "max_ar_steps": "40"}
    return engine.synthesize(TEXT, voice="tim", **{**usual, **settings})


@pytest.mark.slow
@pytest.mark.parametrize(
    "chain",
    [["top-p:0.9", "temperature:0.8"], ["top-k:12", "mirostat:4"], ["top-k:9", "beam:3"], ["temperature:0"]],
    ids=" ".join,
)
def test_a_trace_tells_the_tokens_that_are_heard(engine: VallE, chain: list[str]) -> None:
    speech = speak(engine, ar=chain, max_ar_steps="2s", nar=["top-k:4", "multinomial"])
    assert len(speech.parts) > 1
    for place, part in enumerate(speech.parts):
        mine = [each for each in speech.trace.lines if each.part == place and each.kept]
        ar = [each.step for each in mine if each.step.stage == "ar"]
        wanted = part.codes[:, 0].tolist() + ([32] if part.stop_reason == "stop" else [])
        assert [each.token for each in ar] == wanted and [each.step for each in ar] == list(range(len(wanted)))
        assert ar[0].stages[0].name == "model" and ar[0].stages[0].kept == 33
        for level in range(1, part.codes.shape[1]):
            frames = [each.step for each in mine if each.step.stage == "nar" and each.step.level == level]
            assert [each.token for each in frames] == part.codes[:, level].tolist()
            assert [each.frame for each in frames] == list(range(len(part.codes)))
            assert frames[0].stages[-1].kept == 4 and frames[0].stages[-1].p_stop is None


@pytest.mark.slow
def test_a_trace_changes_nothing_and_none_is_made_unasked(engine: VallE) -> None:
    with_one, without = speak(engine), speak(engine, trace=False)
    np.testing.assert_array_equal(with_one.wave, without.wave)
    assert without.trace is None


@pytest.mark.slow
def test_tries_and_candidates_that_were_given_up_are_told_apart(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    from vall_e_tts.synthesis import takes

    judge = takes.judge
    monkeypatch.setattr(takes, "judge", lambda take, *rest: ("loop", ()) if take.seed == 1 else judge(take, *rest))
    speech = speak(engine, candidates=2, max_tries=2, scorer=("length",))
    ar = [each for each in speech.trace.lines if each.step.stage == "ar" and each.part == 0]
    assert {(each.candidate, each.attempt) for each in ar} == {(0, 0), (1, 0), (0, 1), (1, 1)}
    kept = [each for each in ar if each.kept]
    (chosen,) = (each["candidate"] for each in speech.record["parts"][0]["candidates"] if each["kept"])
    assert {(each.candidate, each.attempt) for each in kept} == {(chosen, 1)}
    assert [each.step.token for each in kept][: len(speech.parts[0].codes)] == speech.parts[0].codes[:, 0].tolist()


def test_demasking_is_traced_too(registry: Registry, len_model_path: Path) -> None:
    engine = VallE.load(len_model_path, registry=registry, device="cpu")
    speech = speak(engine, steps=3)
    lines = [each.step for each in speech.trace.lines if each.kept and each.part == 0 and each.step.level == 0]
    assert {each.step for each in lines} == {0, 1, 2}
    assert len(lines) == 3 * len(speech.parts[0].codes)


def test_the_file_holds_what_the_run_made(tts: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    record = tts("--trace", path, "--ar-sampler", "top-k:5", "--ar-sampler", "temperature:0.7")
    log = read_trace(path)
    assert log.head["seed"] == record["seed"] and log.head["chains"]["ar"][0] == "top-k:k=5"
    assert len([each for each in log.lines if each.step.stage == "nar"]) == 3 * sum(
        part["frames"] for part in record["parts"]
    )
    again = tmp_path / "again.jsonl"
    log.write(again)
    assert again.read_bytes() == path.read_bytes()
    first, second, *_ = path.read_text().splitlines()
    assert json.loads(first)["trace"] == 1 and set(json.loads(second)) == {
        "stage", "part", "candidate", "try", "kept", "step", "level", "frame", "token", "stages", "details", "seed",
        "key",
    }  # fmt: skip
    assert "trace" not in record["arguments"]
    with pytest.raises(UsageError, match="exists already"):
        log.write(again)


def test_a_trace_is_never_written_over_something(tts: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("mine")
    tts.count += 1
    common = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu")
    done = tts.cli("tts", TEXT, tts.reference, tts.out, *common, "--trace", path, code=2)
    assert "exists already" in done.stderr and path.read_text() == "mine" and not tts.out.exists()
    assert "also an input" in tts.run("--trace", tts.reference, code=2).stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "first line"), ("{}", "first line"), ("[1]", "no object"), ("nonsense", "isn't JSON"), ("\0\0", "JSON"),
        ('{"trace": 99}', "its format is 99"), ('{"trace": 1}\n{}', "line 2"), ("[" * 100_000, "isn't JSON"),
        ('{"trace": 1}\n{"stage": "ar", "stages": [3]}', "line 2"),
    ],
)  # fmt: skip
def test_what_is_no_trace_is_refused(cli: Any, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(content)
    done = cli("samplers", "plot", path, "-o", tmp_path / "t.png", code=3)
    assert says in done.stderr and not (tmp_path / "t.png").exists()
    path.write_bytes(b"\xff\xfe\xff")
    cli("samplers", "plot", path, "-o", tmp_path / "t.png", code=3)
    cli("samplers", "plot", tmp_path / "none.jsonl", "-o", tmp_path / "t.png", code=3)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, registry: Registry, model_path: Path) -> Path:
    path = tmp_path_factory.mktemp("trace") / "t.jsonl"
    engine = VallE.load(model_path, registry=registry, device="cpu")
    speak(engine, nar=["top-k:4", "multinomial"], max_ar_steps="30").trace.write(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "flags"),
    [
        ("png", ()), ("svg", ("--stage", "nar", "--level", 2)), ("pdf", ("--part", 1)), ("png", ("--candidate", 0)),
    ],
)  # fmt: skip
def test_a_picture_is_drawn(cli: Any, log: Path, tmp_path: Path, suffix: str, flags: tuple[object, ...]) -> None:
    out = tmp_path / f"t.{suffix}"
    cli("samplers", "plot", log, "-o", out, *flags)
    data = out.read_bytes()
    assert len(data) > 5000 and data.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    assert "exists already" in cli("samplers", "plot", log, "-o", out, code=2).stderr
    cli("samplers", "plot", log, "-o", out, "-y")


@pytest.mark.slow
def test_a_picture_of_one_step_and_of_strange_text(log: Path) -> None:
    from vall_e_trace.plot import picture, selected

    found = read_trace(log)
    parts = [{**each, "text": "$x_1^ 漢字 {%"} for each in found.head["parts"]]
    strange = TraceLog({**found.head, "parts": parts, "codec": None}, found.lines)
    assert picture(strange, selected(strange)[:1])[:4] == b"\x89PNG"


def test_what_can_t_be_drawn_is_said(cli: Any, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can't draw" in cli("samplers", "plot", log, "-o", tmp_path / "t.gif", code=2).stderr
    assert "has nothing" in cli("samplers", "plot", log, "-o", tmp_path / "t.png", "--part", 9, code=3).stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = cli("samplers", "plot", log, "-o", tmp_path / "t.png", code=4)
    assert 'pip install "vall-e[plot]"' in done.stderr and not (tmp_path / "t.png").exists()


@pytest.mark.slow
def test_a_damaged_trace_is_no_internal_error(cli: Any, log: Path, tmp_path: Path) -> None:
    head, first, second, *_ = log.read_text().splitlines()
    path, out = tmp_path / "t.jsonl", tmp_path / "t.png"
    line = json.loads(second)
    for change in ({"stages": line["stages"][:2]}, {"stages": []}, {"token": 1 << 64}, {"step": None}, {"details": 3}):
        path.write_text("\n".join([head, first, json.dumps({**line, **change})]))
        assert "damaged" in cli("samplers", "plot", path, "-o", out, "--candidate", 0, code=3).stderr
    strange = {**line["stages"][0], "entropy": float("nan"), "p_stop": float("inf"), "kept": -3, "rank": 0}
    path.write_text("\n".join([head, json.dumps({**line, "stages": [strange]})]))
    cli("samplers", "plot", path, "-o", out, "--candidate", 0)


def test_explain_shows_what_works_what_is_off_and_what_is_unusual(cli: Any, model_path: Path) -> None:
    common = ("samplers", "explain", "--model", model_path)
    text = cli(
        *common, "--ar-sampler", "top-p:0.9", "--ar-sampler", "repetition-penalty:1.2", "--ar-sampler", "temperature:1"
    ).stdout
    ar = text.partition("NAR levels")[0]
    assert "1  top-p" in ar and "2  repetition-penalty" in ar and "off: neutral" in ar and "3  multinomial" in ar
    assert "warning: repetition-penalty comes after top-p" in ar
    record = cli(*common, "--top-k", 5, "--json").json()
    assert [each["name"] for each in record["ar"]["members"]][:2] == ["top-k", "temperature"]
    assert record["nar"]["chooser"] == "greedy" and set(record) == {"ar", "nar"}
    assert "transcription" in cli(*common, "--stage", "stt", "--sampler", "top-k:5").stdout
    assert "did you mean top-p" in cli(*common, "--ar-sampler", "top-q", code=2).stderr
    assert cli("samplers", "explain", "--model", "no-such-model", code=4).stderr


def test_explain_takes_the_checkpoints_advice(cli: Any, make_model: Any, tmp_path: Path) -> None:
    advised = make_model(tmp_path / "advised.sft", extra={"advice": {"top-p": 0.7}})
    assert "top-p:p=0.7" in cli("samplers", "explain", "--model", advised).stdout
    text = cli("samplers", "explain", "--model", advised, "--ar-sampler", "top-k:5").stdout
    assert "top-p" not in text.partition("NAR levels")[0]


def test_explain_tells_whose_chain_a_plain_sampler_is(cli: Any, model_path: Path) -> None:
    common = ("samplers", "explain", "--model", model_path, "--stage", "nar")
    text = cli(*common, "--nar-sampler", "xtc:0.3", "--nar-sampler", "temperature:0.5").stdout
    assert text.startswith("NAR levels, from --nar-sampler:") and "AR pass" not in text and "note" not in text
    text = cli(*common, "--sampler", "top-k:7").stdout
    assert "top-k" not in text and "note: --sampler is the AR pass's chain, --nar-sampler that of the levels" in text
    assert "no order" in cli(*common, "--nar-sampler", "dry", code=2).stderr
    drawn = cli(*common, "--nar-temp", 0.5, "--min-nar-temp", 0.1).stdout
    assert "1  dynamic-temperature:min=0.1,max=0.5" in drawn and "2  multinomial" in drawn


def test_explain_knows_what_the_model_can_do(
    cli: Any, make_model: Any, len_model_path: Path, tmp_path: Path
) -> None:
    explain = ("samplers", "explain", "--model", len_model_path)
    explain_drawn = (*explain, "--nar-temp", 1, "--top-k", 3)
    assert cli(*explain_drawn).stdout.startswith("AR pass: none, the model makes level 0 at once")
    assert cli(*explain_drawn, "--json").json()["nar"]["members"][0]["spec"] == "top-k:k=3"
    assert "the model has no AR pass" in cli(*explain, "--sampler", "dry", code=2).stderr
    seven = make_model(
        tmp_path / "seven.sft", version=7, layout="later", capabilities=frozenset({"ar", "nar"}),
        final_norm=False, noncausal_masks=True,
    )  # fmt: skip
    explain = ("samplers", "explain", "--model", seven)
    assert "1  top-k:k=3" in cli(*explain, "--sampler", "top-k:3").stdout
    for name in ("beam", "cfg"):
        assert "version 7" in cli(*explain, "--sampler", name, code=2).stderr


def test_read_trace_is_an_input_error_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_trace(tmp_path)
