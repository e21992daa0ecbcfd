"""The Python API: load once, then any number of calls."""


from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from vall_e_audio import AudioClip, read_audio
from vall_e_core import InputError, ModelError, Registry, UsageError, VallE
from vall_e_lm import set_library_defaults
from vall_e_tts import SpeechOptions, SpeechRequest


@pytest.fixture
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def speak(engine: VallE, **settings: Any) -> Any:
    return engine.synthesize("hello there", voice="tim", **{"phonemizer": "letters", "seed": 1, **settings})


@pytest.mark.slow
def test_it_says_what_the_command_line_says(tts: Any, engine: VallE, reference: Path, tmp_path: Path) -> None:
    record = tts("--top-p", 0.8)
    chain = ["top-p:0.8", "temperature:0.95"]
    speech = engine.synthesize(record["text"], [reference], seed=1, phonemizer="letters", ar=chain)
    assert [part.record(i)["codes_sha256"] for i, part in enumerate(speech.parts)] == [
        part["codes_sha256"] for part in record["parts"]
    ]
    out = speech.save(tmp_path / "api.wav")
    assert out.read_bytes() == tts.out.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        speech.save(out)
    assert speech.save(out, overwrite=True, sidecar=False) == out


@pytest.mark.slow
def test_calls_do_not_depend_on_each_other(engine: VallE) -> None:
    first = speak(engine)
    speak(engine, seed=5, language="de")
    second = speak(engine)
    np.testing.assert_array_equal(first.wave, second.wave)


@pytest.mark.slow
def test_a_reference_is_read_once_and_anew_when_it_changes(engine: VallE, reference: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.wav"
    mine.write_bytes(reference.read_bytes())
    first = engine.synthesize("hello there", mine, phonemizer="letters", seed=1)
    again = engine.synthesize("hello there", mine, phonemizer="letters", seed=1)
    assert engine.speakers.hits == 1
    np.testing.assert_array_equal(first.wave, again.wave)
    assert again.warnings == first.warnings and again.record["references"] == first.record["references"]
    samples, rate = soundfile.read(mine)
    soundfile.write(mine, samples[: len(samples) // 2], rate)
    half = engine.synthesize("hello there", mine, phonemizer="letters", seed=1)
    assert engine.speakers.hits == 1
    assert half.record["references"][0]["sha256"] != first.record["references"][0]["sha256"]


@pytest.mark.slow
def test_audio_is_finite_float_at_the_codecs_rate(engine: VallE) -> None:
    speech = speak(engine)
    assert speech.sample_rate == 8_000 and speech.wave.dtype == np.float32 and np.isfinite(speech.wave).all()
    assert speech.seconds == pytest.approx(sum(part.seconds + part.pause for part in speech.parts))


def test_a_clip_in_memory_is_a_reference_and_can_be_transcribed(engine: VallE, reference: Path) -> None:
    clip = read_audio(reference)
    assert isinstance(clip, AudioClip)
    from_clip = engine.synthesize("hello there", [clip], seed=1, phonemizer="letters")
    from_file = engine.synthesize("hello there", [reference], seed=1, phonemizer="letters")
    assert len(from_clip.parts[0].codes) > 0 and from_file.record["references"][0]["sha256"]
    assert from_clip.record["references"][0]["path"] is None
    heard = engine.transcribe(clip)
    assert heard.seconds == pytest.approx(2.0) and heard.windows and not heard.no_speech


@pytest.mark.slow
def test_speech_can_be_heard_again(engine: VallE, tmp_path: Path) -> None:
    path = speak(engine, max_ar_steps="2s").save(tmp_path / "a.wav")
    heard = engine.transcribe(path, window=5)
    assert heard.record["window"] == 5 and heard.phonemes == " ".join(w.phonemes for w in heard.windows if w.phonemes)


@pytest.mark.slow
def test_progress_is_told_and_may_end_the_run(engine: VallE) -> None:
    told: list[tuple[str, int, int]] = []
    speak(engine, progress=lambda *step: told.append(step))
    assert {"ar", "nar"} <= {stage for stage, _, _ in told} and all(done <= most for _, done, most in told)

    class Enough(Exception):
        pass

    def stop(stage: str, done: int, most: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        speak(engine, progress=stop)


def test_settings_are_checked(engine: VallE, reference: Path) -> None:
    wrong = ({"language": "xx"}, {"seed": -1}, {"max_ar_steps": "never"}, {"ar": ["nope:1"]}, {"voice": "nobody"})
    for settings in wrong:
        with pytest.raises(UsageError):
            engine.synthesize("hello", **{"voice": "tim", "phonemizer": "letters", **settings})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        speak(engine, colour="red")
    with pytest.raises(InputError, match="nothing to say"):
        engine.synthesize("", voice="tim", phonemizer="letters")
    with pytest.raises(UsageError, match="both given"):
        engine.synthesize("hello", [reference], voice="tim", phonemizer="letters")
    assert SpeechOptions(max_ar_steps=900).max_ar_steps == "900"  # type: ignore[arg-type]


def test_a_seed_of_none_draws_one_each_time(engine: VallE) -> None:
    seeds = {speak(engine, seed=None, max_ar_steps="5").record["seed"] for _ in range(4)}
    assert len(seeds) == 4


def test_no_reference_at_all_is_possible(engine: VallE) -> None:
    speech = engine.synthesize("hello there", seed=1, phonemizer="letters")
    assert speech.record["prompt"] is None


def test_a_missing_model_and_codec_are_model_errors(registry: Registry, make_model: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model file"):
        VallE.load(tmp_path / "none.sft", registry=registry)
    with pytest.raises(ModelError, match="no such model: no-such-model"):
        VallE.load("no-such-model", registry=registry)
    with pytest.raises(ModelError, match="isn't on this machine") as absent:
        VallE.load("ar+nar-llama-8", registry=registry)
    assert "vall-e models download ar-nar-llama-8" in str(absent.value.try_)
    foreign = make_model(tmp_path / "m.sft", extra={"audio_backend": "unheard-of"})
    with pytest.raises(ModelError, match="codec that isn't installed: unheard-of"):
        VallE.load(foreign, registry=registry, device="cpu")


@pytest.mark.slow
def test_nothing_touches_the_network(engine: VallE, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    def blocked(*_args: object, **_settings: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", blocked)
    monkeypatch.setattr(socket, "create_connection", blocked)
    again = VallE.load(engine.loaded.path, registry=engine.registry, device="cpu")
    engine_path = speak(again).save(tmp_path / "a.wav")
    assert soundfile.info(engine_path).frames > 0
    again.transcribe(engine_path)


def test_importing_the_options_and_the_tasks_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import vall_e_tts, vall_e_stt\n"
        "from vall_e_lm import ModelOptions\nfrom vall_e_tts import SpeechOptions\n"
        "from vall_e_stt import HearingOptions\nfrom vall_e_files import check_output\n"
        "print([name for name in ('torch', 'numpy', 'soundfile', 'yaml') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(root), str(root / "plugins")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_run_does_not_import_torchs_compiler(environment: dict[str, str], model_path: Path) -> None:
    """It takes longer than all the rest of the start."""
    code = (
        "import sys; from vall_e_core import VallE\n"
        "VallE.load(sys.argv[1], device='cpu').synthesize('hello there', voice='tim', phonemizer='letters')\n"
        "print('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(model_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


VARIABLES = ("OMP_WAIT_POLICY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
OURS = {"OMP_WAIT_POLICY": "PASSIVE", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, OURS),
        ({"OMP_WAIT_POLICY": "ACTIVE", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"},) * 2,
        ({"DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "DNNL_PRIMITIVE_CACHE_CAPACITY": "7"}),
    ],
    ids=["ours", "the user's", "an older name"],
)
def test_libraries_have_our_settings_before_torch_is_there_unless_the_user_chose(
    environment: dict[str, str], model_path: Path, chosen: dict[str, str], found: dict[str, str]
) -> None:
    """Spinning threads made decoding a hundred times slower on a machine with something else to do, and a book filled
    the memory with what oneDNN keeps for each shape. Both are read when torch is imported or first computes."""
    code = (
        "import json, os, sys; from vall_e_core import VallE\n"
        "class Watch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'torch': print(json.dumps(dict(os.environ))); sys.exit()\n"
        "sys.meta_path.insert(0, Watch())\n"
        "VallE.load(sys.argv[1], device='cpu')"
    )
    given = {**{key: value for key, value in environment.items() if key not in VARIABLES}, **chosen}
    command = [sys.executable, "-c", code, str(model_path)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert {key: seen[key] for key in VARIABLES if key in seen} == found


def test_settings_come_too_late_where_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has imported torch has settled them; a variable that does nothing would only mislead."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    set_library_defaults()
    assert not any(name in os.environ for name in VARIABLES)


@pytest.mark.slow
def test_a_small_model_runs_on_one_thread_and_leaves_torchs_number_alone(engine: VallE) -> None:
    """Two threads took twice as long as one for products as small as the embedded voice's."""
    import torch

    before = torch.get_num_threads()
    seen: list[int] = []
    def watch(*_: object) -> None:
        seen.append(torch.get_num_threads())

    engine.synthesize("hello there", voice="tim", phonemizer="letters", seed=1, progress=watch)
    assert engine.threads == 1 and set(seen) == {1}
    assert torch.get_num_threads() == before
    asked = VallE.load(engine.place.path, device="cpu", threads=2, registry=engine.registry)
    assert asked.threads == 2
    torch.set_num_threads(before)


@pytest.mark.slow
def test_one_reference_needs_no_list(engine: VallE, reference: Path) -> None:
    """Regression: a path was walked through letter by letter, and `/` is a folder."""
    settings = {"phonemizer": "letters", "seed": 1}
    expected = engine.synthesize("hello there", [reference], **settings).wave
    for one in (reference, str(reference)):
        np.testing.assert_array_equal(engine.synthesize("hello there", one, **settings).wave, expected)
    with pytest.raises(TypeError, match="has to be a str, not bytes"):
        engine.synthesize(b"hello", reference)  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="have to be a list"):
        SpeechRequest("hello", "ref.wav")


def test_more_threads_than_cores_are_remarked_upon(registry: Registry, model_path: Path) -> None:
    heard: list[str] = []
    before = torch.get_num_threads()
    try:
        VallE.load(model_path, registry=registry, device="cpu", threads=(os.cpu_count() or 1) + 1, notify=heard.append)
    finally:
        torch.set_num_threads(before)
    assert any("threads on" in line and "slow" in line for line in heard)
