"""From a text to what is spoken: normalizers, a lexicon, markup, pauses, pace, and the record that keeps all of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny import tiny_plugin
from vall_e_core import (
    BuildContext,
    InputError,
    Normalizer,
    NormalizerModel,
    PluginError,
    Registry,
    Replacement,
    UsageError,
    VallE,
    hookimpl,
    param,
)  # fmt: skip

SHORT = ("--max-ar-steps", 9)
SETTINGS: dict[str, Any] = {"voice": "tim", "phonemizer": "letters", "seed": 1, "max_ar_steps": "9", "unk": "skip"}


class Digits:
    def __init__(self, word: str) -> None:
        self.word = word

    def replacements(self, text: str, language: str) -> Iterable[Replacement]:
        return [Replacement(at, at + 1, self.word) for at, char in enumerate(text) if char.isdigit()]


@dataclass(frozen=True)
class English(Normalizer):
    """Every digit as a word."""

    name = "test-digits"
    languages = frozenset({"en"})
    word: str = param("two", primary=True, help="what is said")

    def build(self, ctx: BuildContext) -> NormalizerModel:
        return Digits(self.word)


@dataclass(frozen=True)
class French(English):
    """The same for French."""

    name = "test-chiffres"
    languages = frozenset({"fr"})


class Both:
    @hookimpl
    def vall_e_normalizers(self) -> list[type[Normalizer]]:
        return [English, French]


@pytest.fixture
def engine(make_model: Any, tmp_path: Path) -> VallE:
    registry = Registry.load(third_party=False)
    registry.register(tiny_plugin(), name="tiny")
    registry.register(Both(), name="both")
    return VallE.load(make_model(tmp_path / "model.sft"), registry=registry, device="cpu")


def spoken(engine: VallE, text: str, **settings: Any) -> str:
    found: str = engine.synthesize(text, **{**SETTINGS, **settings}).record["spoken"]
    return found


@pytest.mark.slow
def test_normalizers_are_those_of_the_language_or_those_named(engine: VallE) -> None:
    assert "two" in spoken(engine, "at 2 there", normalizer=["test-digits"])
    assert spoken(engine, "at 2 there", normalizer=["test-digits:six"]) == "at six there"
    assert spoken(engine, "at 2 there", normalizer=["none"]) == "at 2 there"
    assert spoken(engine, "at 2 there", language="de") == "at 2 there", "nothing serves it, so nothing touches it"
    both = engine.synthesize("at 2", **SETTINGS, normalizer=["test-digits:a1", "test-digits:b"]).record
    assert both["spoken"] == "at ab" and both["normalizers"] == ["test-digits:a1", "test-digits:b"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"normalizer": ["test-chiffres"]}, "doesn't serve the language en"), ({"normalizer": ["nope"]}, "nope"),
        ({"normalizer": ["none", "test-digits"]}, "none"),
        ({"normalizer": ["test-digits"], "phonemizer": "ipa"}, "phonemizer ipa"),
    ],
)  # fmt: skip
def test_normalizers_that_cannot_be_meant_are_refused(engine: VallE, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        spoken(engine, "at 2", **settings)


class Wrong:
    def __init__(self, found: object) -> None:
        self.found = found

    def replacements(self, text: str, language: str) -> Any:
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([Replacement(3, 2, "x")], "range is empty"), 
        ([Replacement(0, 1, "x"), Replacement(0, 2, "y")], "before the end"),
        ([Replacement(0, 99, "x")], "after the end"), ([Replacement(-1, 1, "x")], "before the end"),
        ([Replacement(0, 1, "a\nb")], "line end"), ([Replacement(0, 1, "\x07")], "control"),
        ([Replacement(0, 1, "x" * 10**6)], "far longer"),
        (["x"], "isn't a Replacement"),
        ([Replacement(0, 1, 3)], "a string"), (None, "TypeError"), (ValueError("odd"), "ValueError: odd"),
        (SystemExit("bye"), "SystemExit"),
    ],
)  # fmt: skip
def test_a_wrong_normalizer_is_named(
    engine: VallE, monkeypatch: pytest.MonkeyPatch, found: object, says: str
) -> None:
    monkeypatch.setattr(English, "build", lambda self, ctx: Wrong(found))
    with pytest.raises(PluginError) as caught:
        spoken(engine, "hello there", normalizer=["test-digits"])
    assert caught.value.exit_code == 4
    assert "test-digits" in caught.value.message and says in caught.value.render()


def test_what_is_left_out_leaves_nothing_to_say(engine: VallE) -> None:
    with pytest.raises(InputError, match="nothing to say"):
        spoken(engine, "2", normalizer=["test-digits:."])


def test_the_record_says_where_everything_stands(engine: VallE) -> None:
    text = "**Take** 2 of [these](/ðiːz/).\n\nThen go."
    record = engine.synthesize(text, **SETTINGS, normalizer=["test-digits"]).record
    first, last = record["parts"]
    assert record["text"] == text and (first["text"], first["spoken"]) == ("Take 2 of these.", "Take two of /ðiːz/.")
    assert text[slice(*first["span"])] == "Take** 2 of [these](/ðiːz/)." and text[slice(*last["span"])] == "Then go."


@pytest.mark.parametrize("text", ["hello there", "# Hello there", "hello there,", "hello there:", "hello there —"])
def test_the_end_of_a_text_is_a_stop(tts: Any, text: str) -> None:
    """Regression: without a final mark the model went on with gibberish."""
    assert tts(*SHORT, text=text)["phonemes"].lower() == "hello there."


def test_what_follows_a_pause_begins_with_a_word(tts: Any) -> None:
    assert tts(*SHORT, text="hello [pause:100ms], there")["phonemes"] == "hello. there."


def test_lines_of_a_list_are_stops(tts: Any) -> None:
    assert tts(*SHORT, text="Milk\nEggs\nBread")["phonemes"] == "milk. eggs. bread."
    assert tts(*SHORT, text="Really?\n- yes!\n- (no)")["phonemes"] == "really? yes! no."


@pytest.mark.parametrize("stream", [(), ("--stream",)])
def test_pauses_are_silence(tts: Any, stream: tuple[str, ...]) -> None:
    import soundfile

    text = "[pause:0.5s] hello there [pause:1s] my friend [pause:0.25s]"
    record = tts(*SHORT, *stream, "--pause", 0, text=text)
    wave, rate = soundfile.read(tts.out)
    first, last = record["parts"]
    assert first["start"] == 0.5 and (first["pause"], last["pause"]) == (1.0, 0.25)
    assert not wave[: rate // 2].any() and not wave[-rate // 4 :].any()
    begin = round((first["start"] + first["duration"]) * rate)
    assert not wave[begin : begin + rate].any() and len(wave) == round(record["duration"] * rate)
    assert last["start"] == pytest.approx(first["start"] + first["duration"] + 1.0)


@pytest.mark.slow
def test_a_run_from_a_record_says_what_was_said(
    tts: Any, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tts(*SHORT, text="hello [pause:200ms] there")
    kept = tts.out.with_name(tts.out.name + ".json")
    changed = json.loads(kept.read_text())
    for part in changed["parts"]:
        part["phonemes"] = part["phonemes"].replace("there", "thare")
    kept.write_text(json.dumps(changed))
    again = tmp_path / "again.wav"
    cli("tts", "--from", kept, "-o", again)
    found = json.loads(Path(f"{again}.json").read_text())
    assert found["phonemes"] == "hello. thare." and found["spoken"] == made["spoken"]
    assert [part["pause"] for part in found["parts"]] == [0.2, 0.0]
    cli("tts", "--from", kept, "-o", tmp_path / "new.wav", "--text", "good bye")
    assert json.loads((tmp_path / "new.wav.json").read_text())["phonemes"] == "good bye."
    for part in changed["parts"]:
        for key in ("phonemes", "spoken", "span"):
            part.pop(key, None)
    changed["arguments"].pop("markup")
    kept.write_text(json.dumps({**changed, "arguments": {**changed["arguments"], "strip-markup": False}}))
    cli("tts", "--from", kept, "-o", tmp_path / "old.wav")
    assert json.loads((tmp_path / "old.wav.json").read_text())["phonemes"] == made["phonemes"]


LEXICONS = {
    "words.tsv": "# names\nhello\thallo\nthere\t/dɛə/\n\nNew York\tnoo york\n",
    "words.yaml": "hello: hallo\nthere: /dɛə/\nNew York: noo york\n",
}


@pytest.mark.parametrize("name", LEXICONS)
def test_a_lexicon_says_how_words_are_said(tts: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(LEXICONS[name], "utf-8")
    record = tts(*SHORT, "--lexicon", path, "--unk", "skip", text="Hello there, New  York, new york, othello")
    assert record["spoken"] == "hallo /dɛə/, noo york, new york, othello"
    assert record["parts"][0]["text"] == "Hello there, New York, new york, othello"
    assert record["arguments"]["lexicon"] == str(path)


def test_a_possessive_is_the_ending_of_a_pronunciation(tts: Any) -> None:
    text = "[ann](/an/)'s cat, [bess](/bes/)’s cat, [jack](/jak/)'s cat, [ann](/an/) 'said'"
    wanted = "anz cat, besᵻz cat, jaks cat, an 'said'."
    phonemes = tts(*SHORT, "--unk", "skip", text=text)["phonemes"]
    assert phonemes == wanted.replace("ᵻ", "") or phonemes == wanted


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tsv", "hello hallo\n", "line 1: no tab"), ("a.tsv", "a\tb\na\tc\n", "a is given twice"),
        ("a.tsv", "a\t/b\n", "not a pronunciation"), ("a.tsv", "a\t \n", "not a pronunciation"),
        ("a.tsv", "!\tb\n", "no word"),
        ("a.yaml", "- a\n", "not a lexicon"), ("a.yaml", "a: 3\n", "isn't text"), ("a.yaml", "a: [", "not YAML"),
        ("a.yaml", "a: &x b\nc: *x\n", "aliases"), ("a.yaml", "b: {a: b}\n", "isn't text"),
        ("gone.tsv", None, "no such"),
    ],
)  # fmt: skip
def test_a_lexicon_that_cannot_be_used_is_refused(
    tts: Any, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert says in tts.run("--lexicon", path, code=3).stderr


def test_files_are_read_as_what_their_names_say(cli: Any, tts: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Hello\n\n```\ncode\n```\n[there](http://nowhere)\n")
    flags = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--seed", 1, *SHORT)
    cli("tts", "-f", page, "--ref", tts.reference, "-o", tmp_path / "a.wav", *flags)
    record = json.loads((tmp_path / "a.wav.json").read_text())
    assert record["spoken"] == "Hello there" and record["markup"] == record["arguments"]["markup"] == "markdown"


def test_strip_markup_names_what_took_its_place(tts: Any, cli: Any, tmp_path: Path) -> None:
    assert "--markup html, or ssml takes its place" in tts.run("--strip-markup", code=2).stderr
    config = tmp_path / "run.yaml"
    config.write_text("strip-markup: true\n")
    assert "--markup html" in tts.run("--config", config, code=2).stderr


@pytest.mark.slow
@pytest.mark.parametrize("stream", [(), ("--stream",)])
@pytest.mark.parametrize("speed", [0.5, 1.6])
def test_speed_changes_the_length_and_not_the_codes(tts: Any, speed: float, stream: tuple[str, ...]) -> None:
    text = "hello there my friend. good bye to you my friend."
    usual = tts("--max-ar-steps", 60, text=text)
    other = tts("--max-ar-steps", 60, "--speed", speed, *stream, text=text)
    assert other["speed"] == speed
    for before, after in zip(usual["parts"], other["parts"], strict=True):
        assert before["codes_sha256"] == after["codes_sha256"]
        assert after["duration"] == pytest.approx(before["duration"] / speed, rel=0.02)
    said = any("part by part" in line for line in other["warnings"])
    assert said == bool(stream)


def test_speed_far_from_the_voices_own_is_said(tts: Any) -> None:
    assert any("unnatural" in line for line in tts(*SHORT, "--speed", 0.4)["warnings"])
    assert not any("unnatural" in line for line in tts(*SHORT, "--speed", 2)["warnings"])
    assert "--speed" in tts.run("--speed", 5, code=2).stderr


@pytest.mark.slow
def test_ssml_has_a_pace_of_its_own(engine: VallE, tmp_path: Path) -> None:
    text = '<speak>hello there <prosody rate="50%">my good friend</prosody></speak>'
    first, last = engine.synthesize(text, **{**SETTINGS, "max_ar_steps": "60"}).record["parts"]
    assert "rate" not in first and last["rate"] == 0.5
    lexicon = tmp_path / "words.tsv"
    lexicon.write_text("my\tmine\ngood\t/ɡʊd/\n", "utf-8")
    first, last = engine.synthesize(text, **SETTINGS, lexicon=lexicon).record["parts"]
    assert last["rate"] == 0.5 and last["spoken"] == "mine /ɡʊd/ friend"


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5, 2.0])
def test_the_pitch_stays(speed: float) -> None:
    from vall_e_audio import bent

    rate = 16_000
    time = np.arange(2 * rate) / rate
    wave = (0.3 * np.sin(2 * np.pi * 220.0 * time)).astype(np.float32)
    found = bent(wave, rate, rate=speed)
    spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found)), 1 << 20))
    assert len(found) == pytest.approx(len(wave) / speed, rel=0.02)
    assert np.argmax(spectrum) * rate / (1 << 20) == pytest.approx(220.0, rel=0.01)


@pytest.mark.slow
def test_a_language_that_the_model_did_not_learn_is_said_once(
    registry: Registry, make_model: Any, tmp_path: Path
) -> None:
    model = make_model(tmp_path / "model.sft", extra={"languages": ["en"]})
    engine = VallE.load(model, registry=registry, device="cpu")
    lines = engine.synthesize("hello", **SETTINGS, language="de").warnings
    assert sum("trained only on en" in line for line in lines) == 1
    assert not any("trained only on" in line for line in engine.synthesize("hello", **SETTINGS).warnings)
    with pytest.raises(InputError) as caught:
        engine.synthesize("hello ʘ", **{**SETTINGS, "unk": "error"}, language="de")
    assert "trained only on en" in str(caught.value.cause)
    noise = (np.zeros(16_000, np.float32), 16_000)
    assert sum("trained only on en" in line for line in engine.transcribe(noise, language="de").warnings) == 1
    assert not any("trained only on" in line for line in engine.transcribe(noise).warnings)


def test_the_embedded_model_learnt_english() -> None:
    assert VallE.load(device="cpu").languages == {"en"}


SSML = '<speak>hello <lang xml:lang="de">guten <s>tag</s></lang> and <lang xml:lang="tlh">heghlumeh</lang></speak>'


def test_b16_a_language_in_ssml_that_nobody_knows_is_said_once(
    registry: Registry, make_model: Any, tmp_path: Path
) -> None:
    model = make_model(tmp_path / "model.sft", extra={"languages": ["en"]})
    made = VallE.load(model, registry=registry, device="cpu").synthesize(SSML, **SETTINGS)
    assert sum("marked as de is read as en" in line for line in made.warnings) == 1
    assert sum('xml:lang="tlh" is no language' in line for line in made.warnings) == 1
    assert made.record["spoken"].startswith("hello guten") and made.record["language"] == "en"


def test_b16_a_document_in_another_language_is_in_that_language(
    registry: Registry, make_model: Any, tmp_path: Path
) -> None:
    engine = VallE.load(make_model(tmp_path / "model.sft"), registry=registry, device="cpu")
    made = engine.synthesize('<speak xml:lang="de-CH">guten tag</speak>', **SETTINGS)
    assert made.record["language"] == "de" and not any("xml:lang" in line for line in made.warnings)
    assert engine.synthesize('<speak xml:lang="en-GB">hello</speak>', **SETTINGS).record["language"] == "en"
