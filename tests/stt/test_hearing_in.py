"""Recordings to be transcribed, and where the words go: the rows A, B5 and D of the reliability list, for `stt`."""


from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from babble import babble

Array = np.ndarray[Any, Any]
RATE = 8_000


def wave(seconds: float = 2.0, rate: int = RATE) -> Array:
    return babble(seconds, rate)


@pytest.fixture
def stt(cli: Any, model_path: Path) -> Any:
    def run(*args: object, **settings: Any) -> Any:
        return cli("stt", *args, "--model", model_path, "--device", "cpu", **settings)

    return run


@pytest.fixture
def refused(cli: Any, tmp_path: Path) -> Any:
    """Run with a bad recording and a model that doesn't exist: the recording must be what is complained of."""

    def run(path: Path) -> str:
        began = time.monotonic()
        error: str = cli("stt", path, "--model", tmp_path / "never-looked-at.sft", code=3).stderr
        assert time.monotonic() - began < 1 and error.startswith("error: ") and "Traceback" not in error
        assert path.name in error
        return error

    return run


def test_a1_missing_folder_and_fifo_are_named_before_the_model_is_looked_at(refused: Any, tmp_path: Path) -> None:
    assert "no such audio file" in refused(tmp_path / "gone.wav")
    assert "is a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo.wav")
    assert "not a regular file" in refused(tmp_path / "fifo.wav")


@pytest.mark.parametrize("data", [b"", b"some text\n", b"\x89PNG\r\n\x1a\n0000", b"<!DOCTYPE html><html>"])
def test_a2_what_is_no_audio_is_said_to_be_none(refused: Any, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    assert "not an audio file" in refused(path)


def test_a3_a5_a10_nothing_nan_and_compressed_audio_are_refused(refused: Any, tmp_path: Path) -> None:
    path, bad = tmp_path / "x.wav", wave()
    soundfile.write(path, wave(0), RATE)
    assert "no audio" in refused(path)
    bad[99] = np.inf
    soundfile.write(path, bad, RATE, subtype="FLOAT")
    assert "aren't numbers" in refused(path)
    soundfile.write(path, wave(), RATE, subtype="IMA_ADPCM")
    assert "unsupported encoding" in refused(path)


def test_a4_a_constant_is_no_speech(stt: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave() * 0 + 0.5, RATE)
    assert stt(path, "--json").json()["no_speech"] is True


def test_a6_a_wrong_scale_is_warned_of_and_understood_all_the_same(stt: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave() * 50, RATE, subtype="FLOAT")
    done = stt(path, "--json")
    assert "warning: " in done.stderr and any("scaled down" in line for line in done.json()["warnings"])
    soundfile.write(path, wave() / np.abs(wave()).max(), RATE, subtype="FLOAT")
    assert [round(each["duration"], 2) for each in done.json()["windows"]] == [
        round(each["duration"], 2) for each in stt(path, "--json").json()["windows"]
    ]


@pytest.mark.slow
def test_a7_a11_any_rate_and_channel_count_gives_the_same_windows(stt: Any, tmp_path: Path) -> None:
    paths = []
    for rate, channels in ((8_000, 1), (11_025, 2), (44_100, 6), (96_000, 1)):
        path = tmp_path / f"{rate}.flac"
        soundfile.write(path, np.stack([wave(3, rate)] * channels, axis=1), rate)
        paths.append(path)
    found = [stt(path, "--json").json() for path in paths]
    assert all(abs(each["duration"] - 3) < 0.01 and len(each["windows"]) == 1 for each in found)
    assert max(each["windows"][0]["duration"] for each in found) - 3 == pytest.approx(0, abs=0.05)
    together = [line.split(": ")[0] for line in stt(*paths).stdout.splitlines()]
    assert together == list(map(str, paths))


def test_a8_what_is_left_of_a_cut_file_is_transcribed_and_it_is_said(stt: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave(4), RATE)
    path.write_bytes(path.read_bytes()[: 44 + 3 * RATE * 2])
    done = stt(path, "--json")
    assert "cut off" in done.stderr and done.json()["duration"] == pytest.approx(3, abs=0.01)
    assert any("cut off" in line for line in done.json()["warnings"])


def test_b5_an_unknown_language_is_refused_with_the_list(cli: Any, reference: Path) -> None:
    """Regression: the model was told English instead, with a warning."""
    done = cli("stt", reference, "--language", "xx", "--model", "never-looked-at.sft", code=2)
    assert "'xx'" in done.stderr and "de, en, fr" in done.stderr


def test_d2_the_output_may_not_be_an_input(stt: Any, tmp_path: Path) -> None:
    path = tmp_path / "speech.txt"  # audio all the same
    soundfile.write(path, wave(), RATE, format="WAV")
    before = path.read_bytes()
    assert "also an input" in stt(path, "-o", tmp_path, "-y", code=2).stderr and path.read_bytes() == before


def test_d2_a_place_that_cannot_be_written_is_refused_before_any_work(
    cli: Any, reference: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for folder, code in ((tmp_path / "file", 2), ("/proc/self", 3)):
        done = cli("stt", reference, "-o", folder, "--model", tmp_path / "never-looked-at.sft", code=code)
        assert str(folder) in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.slow
def test_d3_a_closed_standard_output_ends_quietly(command: Any, model_path: Path, reference: Path) -> None:
    arguments, environment = command("stt", reference, "--model", model_path, "--device", "cpu", "--format", "json")
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141 and "Traceback" not in error and "Exception" not in error


def test_d6_nan_from_the_model_names_the_stage_and_writes_nothing(
    stt: Any, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from vall_e_lm import Model

    original = Model.embed

    def embed(self: Model, inputs: Any, target: Any) -> Any:
        found = original(self, inputs, target)
        found.embeds = torch.full_like(found.embeds, float("nan"))
        return found

    monkeypatch.setattr(Model, "embed", embed)
    done = stt(reference, "-o", tmp_path / "out", code=1)
    assert "stage: STT" in done.stderr and "internal error" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
