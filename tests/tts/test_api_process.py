"""The Python API in other people's processes: their torch, their notebooks, their forks, their keywords."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from babble import babble
from vall_e_core import DeviceError, Registry, UsageError, VallE

TEXT = "hello there"
SETTINGS: dict[str, Any] = {"phonemizer": "letters", "seed": 1, "voice": "tim"}


@pytest.fixture(scope="module")
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def speak(engine: VallE, **settings: Any) -> Any:
    return engine.synthesize(TEXT, **{**SETTINGS, **settings})


@contextmanager
def upset(name: str) -> Iterator[None]:
    """torch with another default."""
    if name == "device":
        with torch.device("meta"):
            yield
        return
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    if name == "dtype":
        torch.set_default_dtype(torch.float64)
    elif name == "half":
        torch.set_default_dtype(torch.bfloat16)
    elif name == "threads":
        torch.set_num_threads(threads + 2)
    elif name == "everywhere":
        torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        if name == "everywhere":
            torch.set_default_device(None)


def state() -> tuple[object, ...]:
    return torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()


@pytest.fixture(scope="module")
def undisturbed(engine: VallE, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str, Any]:
    """What is spoken and heard, and the codes, where nobody has set anything."""
    path = tmp_path_factory.mktemp("recording") / "ref.wav"
    soundfile.write(path, babble(2.0, 16_000), 16_000)
    return speak(engine), engine.transcribe(path).phonemes, engine.make_voice(path).codes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dtype", "half", "device", "everywhere", "threads"])
def test_what_the_caller_set_in_torch_changes_nothing_and_stays(
    engine: VallE, undisturbed: tuple[Any, str, Any], registry: Registry, model_path: Path, reference: Path, name: str
) -> None:
    """Regression: with float64 as the default a model could not be loaded."""
    expected, heard, codes = undisturbed
    with upset(name):
        before = state()
        found = speak(engine)
        again = engine.transcribe(reference).phonemes
        made = engine.make_voice(reference).codes
        streamed = np.concatenate(list(engine.stream(TEXT, early=False, **SETTINGS)))
        loaded = VallE.load(model_path, registry=registry, device="cpu", threads=1)
        assert np.array_equal(speak(loaded).wave, expected.wave)
        assert state() == before
    assert np.array_equal(found.wave, expected.wave) and again == heard
    assert np.array_equal(made, codes) and np.array_equal(streamed, expected.wave)


@pytest.mark.slow
def test_speech_goes_into_a_file_object_or_bytes_as_into_a_file(engine: VallE, tmp_path: Path) -> None:
    speech = speak(engine)
    for format in ("wav", "flac", "ogg", "mp3", "pcm_s16le"):
        path = tmp_path / f"a.{format}"
        assert speech.save(path, format=format) == path
        file = io.BytesIO(b"before")
        file.seek(6)
        assert speech.save(file, format=format) is None
        if format != "ogg":  # each Ogg stream has a random number
            assert speech.to_bytes(format) == path.read_bytes() == file.getvalue()[6:]
    wave, rate = soundfile.read(io.BytesIO(speech.to_bytes()), dtype="float32")
    assert rate == speech.sample_rate and np.abs(wave - np.clip(speech.wave, -1, 1)).max() < 1e-4
    with pytest.raises(UsageError, match="unknown format"):
        speech.to_bytes("aiff")


def test_a_notebook_shows_a_player(engine: VallE) -> None:
    speech = engine.synthesize("cut & <b>paste</b>", **{**SETTINGS, "unk": "skip"})
    page = speech._repr_html_()
    sound = page.split("base64,")[1].split('"')[0]
    assert base64.b64decode(sound) == speech.to_bytes() and "<audio controls" in page and "<b>" not in page


@pytest.mark.slow
def test_progress_is_a_line_that_is_gone_at_the_end(engine: VallE, capsys: pytest.CaptureFixture[str]) -> None:
    """A notebook's stderr isn't a terminal and shows it all the same."""
    speak(engine, progress=True)
    shown = capsys.readouterr().err
    assert "speaking: " in shown and "ar" in shown and shown.endswith("\r")
    speak(engine, progress=False)
    assert capsys.readouterr().err == ""


# keywords as flags


@pytest.mark.slow
def test_keywords_do_what_the_flags_do(tts: Any, engine: VallE, reference: Path) -> None:
    def wave(**settings: Any) -> Any:
        return engine.synthesize(TEXT, [reference], phonemizer="letters", seed=1, **settings).record["samplers"]

    for flags, settings in (
        (("--top-p", 0.8), {"top_p": 0.8}),
        (("--ar-temp", 0.7, "--nar-temp", 0.3), {"ar_temp": 0.7, "nar_temp": 0.3}),
        (("--ar-temperature", 0.7), {"ar_temperature": 0.7}),
        (("--sampler", "min-p:0.1", "--sampler", "top-k:9"), {"sampler": ["min-p:0.1", {"top-k": 9}]}),
        (("--sampler", "top-k:9", "--ar-temp", 0.6), {"sampler": "top-k:9", "ar_temp": 0.6}),
        (("--nar-sampler", "greedy"), {"nar_sampler": ["greedy"]}),
    ):
        record = tts(*flags, text=TEXT)
        assert wave(**settings) == record["samplers"], settings
    assert wave(ar=["top-p:0.8"]) == wave(sampler=["top-p:0.8"])
    how = engine.transcribe(reference, beam_width=2).record["samplers"]["stt"]
    assert any(each["sampler"] == "beam" if "sampler" in each else "beam" in str(each) for each in how)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"top_pp": 0.9}, TypeError, r"synthesize\(\) got an unexpected keyword argument 'top_pp'; did you mean top_p"),
        ({"sede": 1}, TypeError, "did you mean seed"),
        ({"top_p": 7}, UsageError, "top_p"), ({"top_p": "much"}, UsageError, "top_p"),
        ({"sampler": ["nope"]}, UsageError, "no sampler"), ({"sampler": [3]}, UsageError, "not a sampler"),
        ({"sampler": ["greedy"], "ar": ["greedy"]}, TypeError, "AR chain twice"),
        ({"sampler": ["greedy"], "top_p": 0.9}, UsageError, "can't be combined with"),
    ],
)  # fmt: skip
def test_keywords_that_cannot_be_meant_are_named(
    engine: VallE, settings: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        speak(engine, **settings)


def test_load_knows_its_keywords(registry: Registry, model_path: Path) -> None:
    with pytest.raises(TypeError, match=r"load\(\) got an unexpected keyword argument 'devise'; did you mean device"):
        VallE.load(model_path, registry=registry, devise="cpu")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_says_why_it_cannot_speak(engine: VallE) -> None:
    """Regression: it waited for threads that a fork doesn't copy, for ever."""
    speak(engine)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            speak(engine)
        except DeviceError as error:
            os.write(write, error.render().encode())
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    assert b"another process" in os.read(read, 4096)
    os.close(read)
