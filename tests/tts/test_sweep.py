"""`vall-e sweep`."""


from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TEXT = "the birch canoe slid on the smooth planks."


@pytest.fixture
def sweep(cli: Any, model_path: Path) -> Any:
    def run(*flags: object, code: int = 0) -> Any:
        common = ("--model", model_path, "--phonemizer", "letters", "--device", "cpu", "--voice", "tim", "--seed", 1)
        return cli("sweep", TEXT, *common, *flags, code=code)

    return run


@pytest.mark.slow
def test_every_combination_is_judged_and_the_best_comes_first(sweep: Any) -> None:
    flags = ("--ar-sampler", "top-p", "--vary", "top-p.p=0.5,0.9", "--vary", "cfg-strength=0,2", "--candidates", 2)
    found = sweep(*flags, "--json").json()
    settings = found["settings"]
    assert found["scorers"] == ["stt", "length", "log-probability"] and found["candidates"] == 2
    assert sorted((each["varied"]["top-p.p"], each["varied"]["cfg-strength"]) for each in settings) == [
        ("0.5", "0"), ("0.5", "2"), ("0.9", "0"), ("0.9", "2"),
    ]  # fmt: skip
    order = [(-each["good"], -each["score"]) for each in settings]
    assert order == sorted(order) and len({each["score"] for each in settings}) > 1
    text = sweep(*flags).stdout.splitlines()
    assert text[0].split() == ["top-p.p", "cfg-strength", "score", *found["scorers"], "seconds", "good"]
    first = settings[0]
    assert text[1].split()[:3] == ["1", first["varied"]["top-p.p"], first["varied"]["cfg-strength"]]
    assert text[-1].startswith("best: ") and all(flag in text[-1] for flag in first["flags"])


@pytest.mark.slow
def test_a_setting_sounds_like_the_flags_it_names(sweep: Any, tts: Any, tmp_path: Path) -> None:
    found = sweep("--vary", "temperature.t=0.5,0.8", "-o", tmp_path / "heard", "--json").json()["settings"]
    for each in found:
        flags = [word for flag in each["flags"] for word in flag.split(" ", 1)]
        tts.count += 1
        tts.cli(
            "tts", TEXT, tts.out, "--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--voice", "tim",
            "--seed", 1, *flags,
        )  # fmt: skip
        assert tts.out.read_bytes() == Path(each["output"]).read_bytes()
    assert len({Path(each["output"]).read_bytes() for each in found}) == 2
    assert "exists already" in sweep("--vary", "temperature.t=0.5,0.8", "-o", tmp_path / "heard", code=2).stderr


@pytest.mark.slow
def test_every_chain_that_holds_the_sampler_changes(sweep: Any) -> None:
    chains = ("--ar-sampler", "top-k:9", "--nar-sampler", "top-k:5", "--nar-sampler", "multinomial")
    (found,) = sweep(*chains, "--vary", "top-k.k=3", "--scorer", "length", "--json").json()["settings"]
    assert [each for each in found["flags"] if "top-k" in each] == ["--ar-sampler top-k:k=3", "--nar-sampler top-k:k=3"]
    assert list(found["scores"]) == ["length"]


@pytest.mark.slow
def test_without_vary_there_is_one_setting(sweep: Any) -> None:
    assert len(sweep("--json").json()["settings"]) == 1


@pytest.mark.parametrize(
    ("vary", "says"),
    [
        ("top-q.p=1", "did you mean top-p"), ("top-p.q=1", "can't vary top-p.q"), ("top-p.p", "expected NAME.PARAM"),
        ("top-p.p=", "expected NAME.PARAM"), ("top-p.p=0.5,,1", "expected NAME.PARAM"), ("top-p.p=2", "at most 1"),
        ("top-p.p=0.5", "no chain holds top-p"), ("candidates=1,2", "can't vary candidates"), ("text=a", "can't vary"),
        (f"seed={','.join(map(str, range(1001)))}", "more than 1000"),
    ],
)  # fmt: skip
def test_what_can_t_be_varied_is_refused(sweep: Any, vary: str, says: str) -> None:
    assert says in sweep("--vary", vary, code=2).stderr


def test_one_thing_is_varied_once(sweep: Any) -> None:
    assert "the same thing twice" in sweep("--vary", "seed=1", "--vary", "seed=2", code=2).stderr


@pytest.mark.slow
def test_a_setting_that_fails_is_reported_last(sweep: Any) -> None:
    done = sweep("--vary", "unk=error,skip", "--phonemizer", "letters:extra=ʘ", "--json")
    good, bad = done.json()["settings"]
    assert good["varied"] == {"unk": "skip"} and good["error"] is None
    assert bad["varied"] == {"unk": "error"} and "doesn't know" in bad["error"] and bad["score"] is None
    assert "failed: phonemes" in sweep("--vary", "unk=error,skip", "--phonemizer", "letters:extra=ʘ").stdout
    assert "doesn't know" in sweep("--vary", "unk=error", "--phonemizer", "letters:extra=ʘ", code=3).stderr


def test_words_are_understood_as_by_tts(cli: Any, model_path: Path, reference: Path) -> None:
    common = ("--model", model_path, "--phonemizer", "letters", "--device", "cpu")
    assert "score" in cli("sweep", TEXT, reference, *common).stdout
    assert "no reference audio" in cli("sweep", TEXT, *common, code=2).stderr
    assert "too many arguments" in cli("sweep", TEXT, reference, "out.wav", *common, code=2).stderr


@pytest.mark.parametrize(
    ("vary", "says"),
    [("top-p.p=0.7,0.70", "0.70 is given twice"), (".=1", "expected NAME.PARAM"), (".p=1", "expected")],
)  # fmt: skip
def test_what_is_varied_is_named_once(sweep: Any, vary: str, says: str) -> None:
    assert says in sweep("--ar-sampler", "top-p", "--vary", vary, code=2).stderr
