"""`vall-e eval` from end to end: with the embedded voice, offline, from what the wheel carries."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from vall_e_audio import AudioClip, read_audio
from vall_e_core import BuildContext, CodecModel, Registry, VallE, hookimpl, param
from vall_e_eval import Figure, Judge, Judged, JudgeModel, Verdict
from vall_e_eval.references import speaker_of, speakers
from vall_e_eval.stt import plain_words, words_of
from vall_e_lm import ModelOptions
from vall_e_tts import SpeechOptions, SpeechRequest
from vall_e_voices import SavedVoice, VoiceFolder, make_voice, model_codec

from .conftest import Done, Run, Voices

PNG = b"\x89PNG"
QUICK = ("--judge", "pitch", "--no-pictures")
SLICE = ("--ref", "heart", "--ref", "michael", "--bend", "none", "--bend", "rate=0.85", "-n", 2)


def figures(report: Any) -> dict[str, float]:
    """The means of a report by key."""
    return {key: each["means"]["all"]["mean"] for key, each in report["figures"].items() if "all" in each["means"]}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The folder of the run that several tests look at."""
    return {"folder": tmp_path_factory.mktemp("eval") / "run"}


@pytest.fixture
def slice_(kept: dict[str, Any], evaluate: Run) -> Path:
    """A slice of the report: two sentences of list B in two voices, as they are and slower; made once."""
    folder: Path = kept["folder"]
    if "done" not in kept:
        kept["done"] = evaluate("tts", *SLICE, "-o", folder)
        assert kept["done"].code == 0, kept["done"].err
        kept["report"] = json.loads((folder / "report.json").read_text("utf-8"))
    return folder


# the slice, with floors well below the figures of the whole list


@pytest.mark.slow
def test_a_slice_of_the_report_keeps_its_floor(slice_: Path, kept: dict[str, Any]) -> None:
    """8 recordings, a choice of 120 sentences: chance is 0.07."""
    report = kept["report"]
    found = figures(report)
    assert len(report["items"]) == 8
    assert found["sentences.identified"] >= 0.7
    assert found["mfcc.abx"] >= 0.75
    assert found["pitch.near"] >= 0.7
    assert found["speech.cut"] <= 0.3 and found["speech.loop"] == 0
    assert found["speech.stopped"] == 1
    assert found["speech.cpu"] < 1.5


@pytest.mark.slow
def test_the_report_says_what_it_was_made_with(slice_: Path, kept: dict[str, Any]) -> None:
    report = kept["report"]
    assert report["command"] == "eval tts" and report["settings"]["options"]["seed"] == 1
    assert report["settings"]["samplers"]["ar"] and len(report["settings"]["model"]["sha256"]) == 64
    assert report["bootstrap"] == {"interval": 0.95, "draws": 2000, "seed": 0}
    assert {each["judge"]: set(each["versions"]) for each in report["judges"]}["sentences"] == {"pocketsphinx"}
    assert {"torch", "numpy", "pocketsphinx", "vall-e"} <= set(report["environment"]["versions"])
    assert report["references"]["michaelx0.85"]["rate"] == 0.85
    assert {each["reference"] for each in report["items"]} == {"heart", "heartx0.85", "michael", "michaelx0.85"}
    for each in report["figures"].values():
        for name, value in each["means"].items():
            assert value["low"] <= value["mean"] <= value["high"] and value["n"] <= (8 if name == "all" else 2)
    assert kept["done"].err.count("report: ") == 1


@pytest.mark.slow
def test_the_bar_holds_the_rows_that_were_measured(slice_: Path, kept: dict[str, Any]) -> None:
    bar = {each["title"]: each for each in kept["report"]["bar"]}
    assert list(bar) == [
        "TTS, packaged voices, closed set", "TTS, bent voices, closed set", "voice ABX",
        "median F0 near the reference's", "cut endings", "loops", "real-time factor",
    ]  # fmt: skip
    assert bar["TTS, packaged voices, closed set"]["n"] == bar["TTS, bent voices, closed set"]["n"] == 4
    for row in bar.values():
        reached = row["mean"] >= row["at_least"] if row["aim"] > row["at_least"] else row["mean"] <= row["at_least"]
        assert (row["verdict"] != "missed") == reached
    table = kept["done"].out.partition("the embedded voice's bar")[2]
    assert table and all(title in table for title in bar)


@pytest.mark.slow
def test_the_page_has_pictures_and_tables(slice_: Path) -> None:
    page = (slice_ / "report.md").read_text("utf-8")
    named = [line.partition("](")[2].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert named == ["spectrograms.png", "voices-mfcc.png"]
    assert all((slice_ / name).read_bytes().startswith(PNG) for name in named)
    assert "| sentences.identified: identified |" in page and "pocketsphinx" in page
    assert len(list((slice_ / "audio").glob("*.wav"))) == len(list((slice_ / "items").glob("*.json"))) == 8


@pytest.mark.slow
def test_its_own_speech_can_be_listened_to(slice_: Path, evaluate: Run) -> None:
    done = evaluate("stt", slice_, "-n", 1, "--json")
    assert done.code == 0 and figures(done.json())["hearing.per"] < 0.4


# stopping and going on


@pytest.mark.slow
def test_a_second_run_makes_nothing_again(
    slice_: Path, evaluate: Run, monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any]
) -> None:
    def refuse(*args: object, **settings: object) -> None:
        raise AssertionError("spoken again")

    monkeypatch.setattr(VallE, "speak", refuse)
    again = evaluate("tts", *SLICE, "--no-pictures", "-o", slice_, "--json")
    assert again.code == 0, again.err
    after = again.json()
    assert {**kept["report"], "created": None} == {**after, "created": None}
    fewer = evaluate("tts", "--ref", "heart", "-n", 1, "--no-pictures", "-o", slice_, "--json")
    assert len(fewer.json()["items"]) == 1, "a part of what is done"


@pytest.mark.slow
def test_other_settings_are_refused_or_start_anew(evaluate: Run, tmp_path: Path) -> None:
    one = ("--ref", "heart", "-n", 1, *QUICK, "-o", tmp_path / "run")
    assert evaluate("tts", *one).code == 0
    other = evaluate("tts", *one, "--seed", 2)
    assert other.code == 2 and "they differ in options" in other.err
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["options"]["seed"] == 1
    anew = evaluate("tts", *one, "--seed", 2, "-y", "--json")
    assert anew.code == 0 and anew.json()["items"][0]["seed"] == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    refused = evaluate("tts", *one[:-1], tmp_path / "mine", "-y")
    assert refused.code == 2 and (tmp_path / "mine" / "letter.txt").is_file()


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--ref", "heart", "--ref", "michael", "-n", 1, *QUICK)
    speak, calls = VallE.speak, 0

    def interrupted(self: VallE, *args: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:  # the first one warms up
            raise KeyboardInterrupt
        return speak(self, *args, **settings)

    monkeypatch.setattr(VallE, "speak", interrupted)
    stopped = evaluate("tts", *flags, "-o", tmp_path / "run")
    assert stopped.code == 130 and "1 of 2 items are done" in stopped.err
    assert [path.stem for path in (tmp_path / "run" / "items").glob("*.json")] == ["B01-heart"]
    assert not (tmp_path / "run" / "report.json").exists()
    (tmp_path / "run" / "items" / "B01-heart.json").write_text("{ half a rec")  # as a crash of the machine may leave it
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    whole = evaluate("tts", *flags, "-o", tmp_path / "run", "--json")
    assert whole.code == 0
    items = whole.json()["items"]
    assert [each["id"] for each in items] == ["B01-heart", "B01-michael"] and not list(tmp_path.rglob("*.part"))


# against a baseline


def better(report: dict[str, Any], key: str, change: float) -> dict[str, Any]:
    """A report in which one figure is higher."""
    changed: dict[str, Any] = json.loads(json.dumps(report))
    changed["figures"][key]["means"]["all"]["mean"] += change
    return changed


@pytest.mark.slow
def test_a_run_is_held_against_a_baseline(
    slice_: Path, evaluate: Run, tmp_path: Path, kept: dict[str, Any]
) -> None:
    report = kept["report"]
    old = tmp_path / "old.json"

    def against(baseline: dict[str, Any], *more: object) -> Done:
        old.write_text(json.dumps(baseline), "utf-8")
        return evaluate("tts", *SLICE, "--no-pictures", "-o", slice_, "--baseline", old, *more)

    assert against(report).code == 0
    worse = against(better(report, "sentences.identified", 0.2))
    assert worse.code == 7 and "sentences.identified" in worse.err and "the embedded voice's bar" in worse.out
    assert against(better(report, "sentences.identified", 0.2), "--max-regress", "50%").code == 0
    assert against(better(report, "speech.loop", -0.2)).code == 7, "low is better"
    assert against(better(report, "speech.rtf", -9.0)).code == 0, "speed is the machine's"
    assert against(better(report, "signal.level", 50.0)).code == 0, "neither way is better"
    other = against({**report, "command": "eval stt"})
    assert other.code == 3 and "another evaluation" in other.err
    assert against(report, "--max-regress", "lots").code == 2
    old.write_text("[]")
    assert evaluate("tts", *SLICE, "-o", slice_, "--baseline", old).code == 3


# listening, codec, ladder


@pytest.mark.slow
def test_the_model_hears_the_packaged_voices(evaluate: Run, tmp_path: Path) -> None:
    done = evaluate("stt", "-o", tmp_path / "run")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    found = figures(report)
    assert 0 < found["hearing.per"] < 0.3 and found["hearing.per"] < found["hearing.tokens"] < 0.4
    assert 0 < found["hearing.wer"] < 0.5 and report["settings"]["speller"]["name"] == "english"
    table = report["confusions"]
    assert sum(row.get(phone, 0) for phone, row in table.items()) > 60
    assert "wanted" in done.out and "STT phoneme error rate" in done.out
    assert (tmp_path / "run" / "confusions.png").read_bytes().startswith(PNG)


def test_words_are_compared_as_they_are_read_aloud() -> None:
    front = SpeechRequest("a", options=SpeechOptions(language="en")).prepare(Registry.load(third_party=False)).front
    words = words_of(front, "Dr. O’Brien paid $3, didn't he?")
    assert words == ["doctor", "o'brien", "paid", "three", "dollars", "didn't", "he"]
    assert plain_words("The twenty-first, “quoted” word.") == ["the", "twenty", "first", "quoted", "word"]


@pytest.mark.slow
def test_a_speller_that_there_is_not_is_refused_before_anything_is_heard(evaluate: Run) -> None:
    done = evaluate("stt", "--spell", "klingon")
    assert done.code == 2 and "klingon" in done.err


@pytest.mark.slow
def test_the_codec_keeps_words_and_pitch(evaluate: Run, tmp_path: Path) -> None:
    done = evaluate("codec", "-n", 2, "--threads", 1, "-o", tmp_path / "run")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    means = {key: each["means"] for key, each in report["figures"].items()}
    assert means["sentences.identified"]["codec"]["mean"] == means["sentences.identified"]["recording"]["mean"] == 1
    assert means["stoi.stoi"]["codec"]["mean"] > 0.8 and "recording" not in means["stoi.stoi"]
    assert 0.5 < means["distance.mcd"]["codec"]["mean"] < 4 and means["pitch.near"]["codec"]["mean"] == 1
    assert report["bits a second"] == pytest.approx(8 * 10 * 40)
    assert [each["title"] for each in report["bar"]] == ["codec round trip, closed set"]
    rough = evaluate("codec", "-n", 2, "--levels", 1, "--judge", "distance", "--json").json()
    assert rough["figures"]["distance.mcd"]["means"]["codec"]["mean"] > means["distance.mcd"]["codec"]["mean"]
    assert evaluate("codec", "-n", 1, "--levels", 99).code == 2


@pytest.mark.slow
def test_the_ladder_loses_from_rung_to_rung(evaluate: Run, manifest: Path, tmp_path: Path) -> None:
    done = evaluate("ladder", manifest, "-n", 1, "-o", tmp_path / "run", "--no-pictures")
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    means = {key: each["means"] for key, each in report["figures"].items()}
    assert list(means["sentences.identified"]) == ["recording", "codec", "nar", "tts"]
    assert means["sentences.identified"]["codec"]["mean"] == 1
    assert means["distance.mcd"]["codec"]["mean"] < means["distance.mcd"]["nar"]["mean"]
    assert "tts" not in means["distance.mcd"], "speech from text isn't aligned with the recording"
    names = {path.name.removeprefix("00001-heart.") for path in (tmp_path / "run" / "audio").iterdir()}
    assert names == {"recording.wav", "codec.wav", "nar.wav", "tts.wav"}


@pytest.mark.slow
def test_what_isnt_known_of_recordings_is_said(evaluate: Run, tmp_path: Path, registry: Registry) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(registry.get("voice", "heart")().audio_path(), folder / "a.wav")  # type: ignore[attr-defined]
    assert "there are no transcripts" in evaluate("stt", folder).err
    assert evaluate("ladder", folder).code == 3
    (folder / "a.txt").write_text("The train to the coast was late, so we sat in the sun and talked about our plans.")
    alone = evaluate("ladder", folder)
    assert alone.code == 3 and "--ref" in alone.err
    assert evaluate("stt", folder, "--json").json()["items"][0]["id"] == "a"
    manifest = tmp_path / "wrong.jsonl"
    manifest.write_text('{"text": "Hello."}\n')
    wrong = evaluate("stt", manifest)
    assert wrong.code == 3 and "line 1" in wrong.err


# judges of others, and what may be missing


@dataclass(frozen=True)
class Loudness(Judge):
    """How loud it is, and a place on a line from soft to loud."""

    name = "loudness"
    figures: ClassVar[dict[str, Figure]] = {"above": Figure("louder than the floor", "higher", "%")}
    floor: float = param(0.05, primary=True, min=0.0, help="root mean square")

    def build(self, ctx: BuildContext) -> JudgeModel:
        assert len(ctx.sentences) == 120 and ctx.engine is not None
        return LoudnessModel(self.floor)


class LoudnessModel:
    versions: ClassVar[dict[str, str]] = {"loudness": "1"}

    def __init__(self, floor: float) -> None:
        self.floor = floor

    def judge(self, given: Judged) -> Verdict:
        level = float(np.sqrt(np.square(given.recording.wave).mean()))
        return Verdict({"above": float(level > self.floor)}, f"{level:.3f}", [level, 1.0])


@pytest.fixture
def louder() -> Registry:
    """The installed plugins and one with a judge."""

    @hookimpl
    def vall_e_judges() -> Iterable[type[Judge]]:
        return [Loudness]

    plugin = ModuleType("loud")
    plugin.vall_e_judges = vall_e_judges  # type: ignore[attr-defined]
    made = Registry.load()
    record = made.register(plugin, name="loud")
    assert record.provides == {"judges": ("loudness",)}
    return made


@pytest.mark.slow
def test_a_judge_may_come_from_another_plugin(evaluate: Run, louder: Registry) -> None:
    flags = ("--ref", "heart", "--ref", "michael", "-n", 1, "--judge", "loudness:0.01", "--json")
    done = evaluate("tts", *flags, given=louder)
    assert done.code == 0, done.err
    report = done.json()
    assert report["judges"] == [{"judge": "loudness:floor=0.01", "versions": {"loudness": "1"}}]
    assert figures(report)["loudness.above"] == 1 and 0 <= figures(report)["loudness.abx"] <= 1
    assert evaluate("tts", *flags).code == 2, "without the plugin there is no such judge"


def test_without_the_extra_one_error_says_how_to_install_it(evaluate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    for command in (("tts",), ("stt",), ("codec",), ("ladder", "nowhere")):
        done = evaluate(*command)
        assert done.code == 4 and "pip install 'vall-e[eval]'" in done.err and "pystoi" in done.err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--ref", "nobody"), "neither a file nor a voice"), (("--bend", "pitch=99"), "can't bend"),
        (("--list", "Z"), "no such list"), (("--ref", "heart", "--ref", "heart"), "two references are called heart"),
        (("--judge", "stoi"), "it needs: original"), (("--judge", "hearsay"), "no judge is called"),
        (("--sampler", "top-q"), "did you mean"),
    ],
)  # fmt: skip
def test_what_cant_be_meant_is_refused(evaluate: Run, flags: tuple[str, ...], says: str) -> None:
    done = evaluate("tts", *flags)
    assert done.code == 2 and says in done.err, done


@pytest.fixture
def mine(loaded: VallE, voices: Voices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SavedVoice]:
    """`mine("alice")`: the recording of michael, saved as one of the user's voices."""
    monkeypatch.setenv("VALL_E_VOICES", str(tmp_path / "voices"))
    (sound, said), codec = voices["michael"], loaded.codec
    clip = AudioClip(sound.wave, sound.sample_rate, "michael.wav", False, sound.sample_rate, 1, "WAV", "FLOAT")

    def save(name: str, *, keep_audio: bool = False, code_books: str | None = None) -> SavedVoice:
        made = make_voice(codec, clip, text=said, keep_audio=keep_audio)
        if code_books is not None:
            made = replace(made, origin=replace(made.origin, code_books_sha256=code_books))
        made.save(name)
        return VoiceFolder().read(name)

    return save


@pytest.mark.slow
def test_a_saved_voice_is_a_reference(
    evaluate: Run, mine: Callable[..., SavedVoice], loaded: VallE, registry: Registry, tmp_path: Path
) -> None:
    saved = mine("alice")
    folder = tmp_path / "run"
    flags = ("tts", "--ref", "alice", "-n", 1, *QUICK, "-o", folder)
    done = evaluate(*flags, "--bend", "none", "--bend", "pitch=+4", "--json")
    assert done.code == 0, done.err
    report = done.json()
    plain, bent = report["items"]
    assert (plain["reference"], plain["origin"], bent["reference"], bent["origin"]) == (
        "alice", "saved", "alice+4", "bent",
    )  # fmt: skip
    assert plain["figures"]["pitch.near"] == 1
    direct = loaded.synthesize(plain["text"], voice=saved, seed=1)
    written = read_audio(folder / "audio" / f"{plain['id']}.wav", sample_rate=direct.sample_rate).samples
    assert np.allclose(written, direct.wave, atol=1e-4), "as `vall-e tts --voice alice` says it"
    before, after = (float(re.findall(r"reference (\d+) Hz", each["heard"]["pitch"])[0]) for each in (plain, bent))
    assert after / before == pytest.approx(2 ** (4 / 12), rel=0.05)


@pytest.mark.slow
def test_streamed_speech_is_what_is_judged(evaluate: Run, loaded: VallE, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = evaluate("tts", "--ref", "heart", "-n", 1, *QUICK, "--stream", "-o", folder, "--json")
    assert done.code == 0, done.err
    item = done.json()["items"][0]
    streamed = np.concatenate(list(loaded.stream(item["text"], voice="heart", seed=1)))
    written = read_audio(folder / "audio" / f"{item['id']}.wav", sample_rate=24000).samples
    assert np.allclose(written, streamed, atol=1e-4)
    assert not np.allclose(written, loaded.synthesize(item["text"], voice="heart", seed=1).wave, atol=1e-2)
    assert "settings" in evaluate("tts", "--ref", "heart", "-n", 1, *QUICK, "-o", folder).err


def test_a_saved_voice_sounds_like_its_recording_or_else_its_codes(
    mine: Callable[..., SavedVoice], loaded: VallE, registry: Registry, voices: Voices
) -> None:
    kept, bare = mine("kept", keep_audio=True), mine("bare")
    recording = voices["michael"][0]

    def never() -> CodecModel:
        raise AssertionError("the codec isn't needed")

    one = speaker_of(registry, "kept", 30.0, never)
    assert kept.audio is not None and np.array_equal(one.clip.samples, kept.audio.astype(np.float32) / 32768)
    assert one.clip.sample_rate == recording.sample_rate and one.transcript == voices["michael"][1]
    two = speaker_of(registry, "bare", 1.0, lambda: loaded.codec)
    codes = torch.from_numpy(bare.codes[: math.ceil(loaded.codec.frame_rate)]).long()
    assert np.array_equal(two.clip.samples, loaded.codec.decode(codes).detach().float().reshape(-1).numpy())
    assert one.facts()["sha256"] != two.facts()["sha256"]


def test_a_voice_of_another_codec_is_refused_before_the_model_is_looked_at(
    evaluate: Run, mine: Callable[..., SavedVoice]
) -> None:
    mine("other", code_books="0" * 64)
    done = evaluate("tts", "--ref", "other", "-n", 1, *QUICK)
    assert done.code == 3 and "the voice other doesn't fit the model" in done.err


def test_the_default_references_stay_the_packaged_ones(mine: Callable[..., SavedVoice], registry: Registry) -> None:
    """A run without --ref means the same on every machine, whatever its user calls a voice."""
    mine("heart")

    def never() -> CodecModel:
        raise AssertionError("the codec isn't needed")

    found = speakers(registry, (), (), 30.0, never)
    assert {each.name for each in found} == set(registry.names("voice"))
    assert {each.origin for each in found} == {"voice"}
    assert speaker_of(registry, "heart", 30.0, lambda: model_codec(registry, ModelOptions())).origin == "saved"


@pytest.mark.slow
def test_sentences_may_be_the_users_own(evaluate: Run, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("The door is open.\nThe window is closed.\n")
    done = evaluate("tts", "--sentences", own, "--ref", "heart", *QUICK, "--json")
    assert done.code == 0 and [each["text"] for each in done.json()["items"]] == own.read_text().splitlines()
    own.write_text("one\ttwo\n")
    assert evaluate("tts", "--sentences", own).code == 3


def test_the_help_of_an_evaluation_imports_nothing_heavy() -> None:
    code = (
        "import sys, io, contextlib\nfrom vall_e_core.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n    assert main(['eval', 'tts', '--help']) == 0\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'pocketsphinx', 'matplotlib', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
