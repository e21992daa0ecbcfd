"""The judges of natural speech: where their packages are missing, on stand-ins, and where they are installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from vall_e_core import BuildContext, ModelError, Registry
from vall_e_eval import Judge, Judged, Recording
from vall_e_eval.panel import Panel
from vall_e_eval.speaker import among, cosine

from .conftest import Run, Voices, tone

PACKAGES = {
    "whisper": ("faster_whisper", "pip install 'vall-e[judges]'"),
    "dnsmos": ("speechmos.dnsmos", "pip install 'vall-e[judges]'"),
    "speaker": ("resemblyzer", "pip install --no-deps resemblyzer==0.1.4"),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_judge_that_isnt_installed_is_left_out_or_says_how(
    name: str, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, remedy = PACKAGES[name]
    for each in ("librosa", "webrtcvad"):
        monkeypatch.setitem(sys.modules, each, ModuleType(each))
    monkeypatch.setitem(sys.modules, module, None)
    said: list[str] = []
    judge: Judge = registry.all(Judge)[name]()
    assert Panel([judge], BuildContext(notify=said.append), named=False).judges == []
    assert remedy in said[0] and name in said[0]
    with pytest.raises(ModelError) as found:
        Panel([judge], BuildContext(), named=True)
    assert remedy in str(found.value.try_)


@pytest.mark.slow
def test_a_run_without_them_is_as_ever_and_one_that_names_them_ends(evaluate: Run) -> None:
    done = evaluate("codec", "-n", 1, "--no-pictures")
    assert done.code == 0 and done.err.count("left out: the judge") >= 3
    asked = evaluate("codec", "-n", 1, "--judge", "speaker")
    assert asked.code == 4 and "the judge speaker needs the package" in asked.err and "pip install" in asked.err


# stand-ins


class Color:
    """A voice is where its spectrum has its middle: [low, high]."""

    def __init__(self, device: str, verbose: bool) -> None:
        assert (device, verbose) == ("cpu", False)

    def embed_utterance(self, wave: Any) -> Any:
        power = np.abs(np.fft.rfft(wave)) ** 2
        share = float(power[: len(power) // 16].sum() / power.sum())
        return np.array([share, 1 - share])


@pytest.fixture
def color(monkeypatch: pytest.MonkeyPatch, registry: Registry) -> Panel:
    for name in ("librosa", "webrtcvad", "resemblyzer"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["resemblyzer"].VoiceEncoder = Color  # type: ignore[attr-defined]
    sys.modules["resemblyzer"].preprocess_wav = lambda wave, rate: wave  # type: ignore[attr-defined]
    return Panel([registry.all(Judge)["speaker"]()], BuildContext(), named=True)


def test_a_voice_is_held_against_its_reference(color: Panel) -> None:
    low, high = tone(100.0), tone(2000.0)
    same = color(Judged(low, reference=tone(110.0)))
    assert same.figures["speaker.own"] == pytest.approx(1.0, abs=0.02) and len(same.places["speaker"]) == 2
    other = color(Judged(low, reference=high))
    assert other.figures["speaker.own"] is not None and other.figures["speaker.own"] < 0.5
    silence = Recording(np.zeros(16000, np.float32), 16000)
    assert color(Judged(silence, reference=low)).figures == {"speaker.own": None}
    assert color(Judged(low)).figures == {"speaker.own": None} and color(Judged(low)).places


def test_recordings_are_compared_with_their_speaker_and_with_others() -> None:
    places = {"a1": ("a", [1.0, 0.0]), "a2": ("a", [0.8, 0.6]), "b1": ("b", [0.0, 1.0])}
    assert among([1.0, 0.0], "a", "a1", places) == (pytest.approx(0.8), pytest.approx(0.0))
    assert among([0.0, 2.0], "b", "b1", places) == (None, pytest.approx(0.3))
    assert cosine([0.0, 0.0], [1.0, 0.0]) == 0


def test_the_codec_tells_how_near_voices_stay(color: Panel, evaluate: Run) -> None:
    report = evaluate("codec", "-n", 2, "--judge", "speaker", "--json").json()
    means = {key: each["means"] for key, each in report["figures"].items()}
    assert set(means["speaker.own"]) == {"codec"}, "of a recording itself there is nothing to tell"
    assert set(means["speaker.others"]) == {"recording", "codec"}
    assert [each["figure"] for each in report["bar"]] == ["speaker.own"]


@pytest.mark.slow
def test_speech_has_similarities_by_the_cosine_as_it_is(color: Panel, evaluate: Run) -> None:
    done = evaluate("tts", "--ref", "heart", "--ref", "michael", "-n", 1, "--judge", "speaker", "--json")
    assert done.code == 0, done.err
    figures = done.json()["figures"]
    assert {"speaker.own", "speaker.others", "speaker.abx", "speaker.nearest"} <= set(figures)
    assert figures["speaker.own"]["means"]["all"]["mean"] > 0.9


class Opinions:
    """In place of the class of speechmos: the louder, the better."""

    lengths: ClassVar[list[int]] = []

    def __call__(self, wave: Any, rate: int, personal: bool) -> dict[str, float]:
        assert (rate, personal) == (16000, False) and np.abs(wave).max() <= 1
        self.lengths.append(len(wave))
        level = float(np.sqrt(np.square(wave).mean()))
        return {"ovrl_mos": 1 + 4 * level, "sig_mos": 2.0, "bak_mos": 3.0, "p808_mos": 0.0}


def test_quality_is_told_alone_and_against_the_original(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = ModuleType("speechmos.dnsmos")
    fake.__file__, fake.DNSMOS = "nowhere/dnsmos.py", Opinions  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "speechmos", ModuleType("speechmos"))
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", fake)
    sessions = ModuleType("onnxruntime")
    sessions.SessionOptions, sessions.InferenceSession = Options, lambda path, options: path  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "onnxruntime", sessions)
    monkeypatch.setattr(Opinions, "lengths", [])
    panel = Panel([registry.all(Judge)["dnsmos"]()], BuildContext(), named=True)
    loud = tone(200.0)
    soft = replace(loud, wave=0.5 * loud.wave)
    alone = panel(Judged(loud)).figures
    assert set(alone) == {"dnsmos.ovrl", "dnsmos.sig", "dnsmos.bak"}
    coded = panel(Judged(soft, original=loud)).figures
    assert alone["dnsmos.ovrl"] is not None and coded["dnsmos.ovrl"] is not None
    assert coded["dnsmos.loss"] == pytest.approx(alone["dnsmos.ovrl"] - coded["dnsmos.ovrl"])
    assert Opinions.lengths == [144160, 144160], "one window each, and the original only once"
    assert panel(Judged(Recording(np.zeros(16000, np.float32), 16000))).figures["dnsmos.ovrl"] is None
    assert panel(Judged(Recording(np.zeros(0, np.float32), 16000))).figures["dnsmos.ovrl"] is None


class Options:
    intra_op_num_threads = inter_op_num_threads = 0


# the real ones, where they are


def there(*modules: str) -> pytest.MarkDecorator:
    missing = [each for each in modules if find_spec(each) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs vall-e[judges]: no {', '.join(missing)}")


@pytest.mark.judges
@there("whisper_normalizer")
def test_spellings_that_say_the_same_count_as_the_same() -> None:
    from vall_e_eval.scoring import word_errors

    for wanted, heard in (
        ("It costs $500, Mr. Brown.", "it costs five hundred dollars mister Brown"),
        ("At three thirty on the twenty-first of May.", "At 3:30 on the 21st of May"),
        ("The colour is grey; don't!", "the color is gray, do not"),
        ("Press one ...", "Press 1."), ("One o'clock", "1 o'clock"), ("The file name", "the filename"),
        ("Re-record it", "re -record it"),
    ):  # fmt: skip
        assert word_errors(wanted, heard).errors == 0, (wanted, heard)
    assert (word_errors("Four red birds.", "for red birds sing").errors, word_errors("", "a").wanted) == (2, 0)


@pytest.mark.slow
@pytest.mark.judges
@there("speechmos", "librosa", "requests", "onnxruntime")
def test_noise_sounds_worse_than_speech(registry: Registry, voices: Voices) -> None:
    panel = Panel([registry.all(Judge)["dnsmos"]()], BuildContext(), named=True)
    recording = voices["heart"][0]
    hiss = np.random.default_rng(0).standard_normal(len(recording.wave)).astype(np.float32)
    noisy = replace(recording, wave=np.clip(recording.wave + 0.05 * hiss, -1, 1))
    figures = panel(Judged(noisy, original=recording)).figures
    assert figures["dnsmos.loss"] is not None and figures["dnsmos.loss"] > 0.5


@pytest.mark.slow
@pytest.mark.judges
@there("resemblyzer", "librosa", "webrtcvad")
def test_halves_of_a_recording_are_one_voice(registry: Registry, voices: Voices) -> None:
    panel = Panel([registry.all(Judge)["speaker"]()], BuildContext(), named=True)
    (one, _), (two, _) = voices["heart"], voices["michael"]
    half = len(one.wave) // 2
    first, last = (replace(one, wave=wave) for wave in (one.wave[:half], one.wave[half:]))
    own, other = (panel(Judged(first, reference=each)).figures["speaker.own"] for each in (last, two))
    assert own is not None and other is not None and own > 0.75 > 0.7 > other


@pytest.mark.judges
@there("faster_whisper", "whisper_normalizer")
def test_whisper_writes_down_the_packaged_voices(registry: Registry, voices: Voices) -> None:
    from vall_e_eval.weights import find_weights

    try:
        folder: Path = find_weights()
    except ModelError as error:
        pytest.skip(f"no weights: {error.try_}")
    panel = Panel([registry.all(Judge)["whisper"].from_spec(f"model={folder}")], BuildContext(), named=True)
    heard = [panel(Judged(recording, said)) for recording, said in voices.values()]
    panel.settle()
    assert np.mean([each.figures["whisper.wer"] for each in heard]) < 0.1
