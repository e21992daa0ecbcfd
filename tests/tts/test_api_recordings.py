"""What the Python API takes for a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from babble import babble
from vall_e_core import InputError, Registry, UsageError, VallE, VallEError

TEXT = "hello there"
SETTINGS: dict[str, Any] = {"phonemizer": "letters", "seed": 1}


@pytest.fixture(scope="module")
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


@dataclass(frozen=True)
class Expected:
    """What comes of a recording that is given as a path."""

    wave: Any
    phonemes: str
    codes: Any


@pytest.fixture(scope="module")
def expected(engine: VallE, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    path = tmp_path_factory.mktemp("recording") / "ref.wav"
    soundfile.write(path, babble(2.0, 16_000), 16_000)
    wave = engine.synthesize(TEXT, [path], **SETTINGS).wave
    return Expected(wave, engine.transcribe(path).phonemes, engine.make_voice(path).codes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "form",
    [
        "list", "path", "text", "bytes", "view", "file", "array", "pair", "tensor", "f8", "int16", "stereo", "columns",
        "batch",
    ],
)
def test_a_recording_may_be_anything_that_holds_one(
    engine: VallE, expected: Expected, reference: Path, form: str
) -> None:
    wave, rate = soundfile.read(reference, dtype="float32")
    whole = np.round(wave * 32768).astype(np.int16)
    with open(reference, "rb") as file:
        recording, settings = {
            "path": (reference, {}), "text": (str(reference), {}), "bytes": (reference.read_bytes(), {}),
            "view": (memoryview(reference.read_bytes()), {}),
            "file": (file, {}), "array": (wave, {"sample_rate": rate}), "pair": ((wave, rate), {}),
            "list": ((wave.tolist(), rate), {}), "tensor": (torch.from_numpy(wave), {"sample_rate": rate}),
            "f8": (wave.astype(np.float64), {"sample_rate": rate}), "int16": (whole, {"sample_rate": rate}),
            "stereo": ((np.stack([wave, wave]), rate), {}), "columns": ((np.stack([wave, wave], axis=1), rate), {}),
            "batch": (torch.from_numpy(wave)[None, None], {"sample_rate": rate}),
        }[form]  # fmt: skip
        found = engine.synthesize(TEXT, recording, **settings, **SETTINGS)
    assert np.array_equal(found.wave, expected.wave)
    if form != "file":
        assert engine.transcribe(recording, **settings).phonemes == expected.phonemes
        made = engine.make_voice(recording, **settings)
        assert np.array_equal(made.codes, expected.codes)
        waves = list(engine.stream(TEXT, [recording], **settings, **SETTINGS))
        assert sum(map(len, waves)) > 0


@pytest.mark.slow
def test_a_pair_is_known_in_either_order_and_has_one_rate(engine: VallE, reference: Path) -> None:
    wave, rate = soundfile.read(reference, dtype="float32")
    expected = engine.synthesize(TEXT, (wave, rate), **SETTINGS)
    assert np.array_equal(engine.synthesize(TEXT, (rate, wave), **SETTINGS).wave, expected.wave)
    assert np.array_equal(engine.synthesize(TEXT, (wave, rate), sample_rate=rate, **SETTINGS).wave, expected.wave)
    with pytest.raises(UsageError, match="two sample rates"):
        engine.synthesize(TEXT, (wave, rate), sample_rate=8000, **SETTINGS)


def test_what_is_no_recording_or_voice_is_said(engine: VallE, reference: Path) -> None:
    assert len(engine.synthesize(TEXT, None, **SETTINGS).wave)
    with open(reference, "rb") as file:
        file.read()
        with pytest.raises(InputError, match="nothing is left to read") as caught:
            engine.transcribe(file)
    assert caught.value.try_ == "file.seek(0) before"
    with pytest.raises(TypeError, match="give its name"):
        engine.synthesize(TEXT, voice=Path("heart"), **SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [5, 2.5, {"a": 1}, object()])
def test_what_is_no_recording_at_all_is_named(engine: VallE, value: object) -> None:
    with pytest.raises(TypeError, match=f"a recording can't be a {type(value).__name__}: give a path"):
        engine.synthesize(TEXT, value, **SETTINGS)


def test_samples_that_cannot_be_a_recording_are_refused(engine: VallE) -> None:
    wave = np.zeros(16_000, np.float32)
    for recording, settings, says in (
        (wave, {}, "no sample rate"), (wave, {"sample_rate": 0}, "no sample rate"),
        ((wave > 1, 16_000), {}, "holds bool"),
        ((np.arange(16_000), 16_000), {}, "holds int64"),
        (np.zeros((3, 4, 5)), {"sample_rate": 16_000}, "shape"), ((wave, 16_000), {}, "silent"),
        ((wave + np.nan, 16_000), {}, "aren't numbers"),
    ):  # fmt: skip
        with pytest.raises(VallEError, match=says):
            engine.synthesize(TEXT, recording, **settings, **SETTINGS)
    with pytest.raises(TypeError, match="a recording can't be a int"):
        engine.transcribe(3)
    with pytest.raises(TypeError, match="mode 'rb'"), open(__file__) as file:
        engine.transcribe(file)
