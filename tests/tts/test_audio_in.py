"""References through the command line: the rows A of the reliability list, for speech."""


from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from babble import babble

Array = np.ndarray[Any, Any]


def wave(seconds: float = 2.0, rate: int = 16_000) -> Array:
    return babble(seconds, rate)


@pytest.fixture
def refused(cli: Any, tmp_path: Path) -> Any:
    """Run with a bad reference and a model that doesn't exist: the reference must be what is complained of."""

    def run(path: Path | str, *flags: object) -> str:
        out = tmp_path / "out.wav"
        began = time.monotonic()
        done = cli(
            "tts", "hello there", path, out, "--model", tmp_path / "never-looked-at.sft", "--phonemizer", "letters",
            *flags, code=3,
        )  # fmt: skip
        assert time.monotonic() - began < 1 and not out.exists() and not list(tmp_path.glob("*.json"))
        error: str = done.stderr
        assert error.startswith("error: ") and "Traceback" not in error
        return error

    return run


def test_a1_missing_folder_and_fifo_are_named_before_the_model_is_looked_at(refused: Any, tmp_path: Path) -> None:
    assert "gone.wav" in refused(tmp_path / "gone.wav")
    assert "folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo.wav")
    assert "fifo.wav" in refused(tmp_path / "fifo.wav")


@pytest.mark.parametrize("data", [b"", b"some text\n", b"\x89PNG\r\n\x1a\n0000", b"<!DOCTYPE html><html>"])
def test_a2_what_is_no_audio_is_said_to_be_none(refused: Any, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    assert "not an audio file" in refused(path)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.4])
def test_a3_too_short_is_refused_with_the_minimum(refused: Any, tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave(seconds), 16_000)
    assert "0.5 s" in refused(path) or seconds == 0


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_a4_silence_is_no_reference(refused: Any, tmp_path: Path, level: float) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave() * level, 16_000, subtype="FLOAT")
    assert "silent" in refused(path)


def test_a5_nan_is_refused(refused: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    bad = wave()
    bad[99] = np.nan
    soundfile.write(path, bad, 16_000, subtype="FLOAT")
    assert "aren't numbers" in refused(path)


def test_a6_a_wrong_scale_is_warned_of_and_used(tts: Any, tmp_path: Path) -> None:
    soundfile.write(tts.reference, wave() * 50, 16_000, subtype="FLOAT")
    assert "warning: " in tts.run().stderr and any("scaled down" in line for line in tts.record()["warnings"])


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a7_any_rate_and_channel_count_gives_the_same_number_of_frames(tts: Any, rate: int, channels: int) -> None:
    soundfile.write(tts.reference, np.stack([wave(2, rate)] * channels, axis=1), rate)
    assert abs(tts("--max-ar-steps", 4, "--max-tries", 1)["prompt"]["frames"] - 100) <= 1


def test_a8_what_is_left_of_a_cut_reference_is_used_and_it_is_said(tts: Any) -> None:
    soundfile.write(tts.reference, wave(4), 16_000)
    tts.reference.write_bytes(tts.reference.read_bytes()[: 44 + 2 * 16_000 * 2])
    record = tts("--input-prompt-length", 0, "--max-ar-steps", 4, "--max-tries", 1)
    assert record["prompt"]["frames"] == 100 and any("cut off" in line for line in record["warnings"])


@pytest.mark.slow
def test_a9_no_more_than_max_ref_seconds_is_read(tts: Any) -> None:
    soundfile.write(tts.reference, wave(40), 16_000)
    record = tts("--max-ref-seconds", 5, "--input-prompt-length", 0, "--max-ar-steps", 4, "--max-tries", 1)
    assert record["prompt"]["frames"] == 250 and any("only its first 5 s" in line for line in record["warnings"])


def test_a10_compressed_wav_is_refused(refused: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, wave(), 16_000, subtype="IMA_ADPCM")
    assert "unsupported encoding" in refused(path)


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("-o", "/proc/none/out.wav"), 3), (("--format", "wav2"), 2), (("--max-ar-steps", "0"), 2),
        (("--sampler", "nope"), 2), (("--language", "xx"), 2), (("--phonemizer", "nope"), 2), (("--device", "tpu"), 2),
        (("--task", "sing"), 2),
    ],
)  # fmt: skip
def test_everything_checkable_is_checked_before_a_weight_is_read(
    cli: Any, reference: Path, tmp_path: Path, flags: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vall_e_lm.checkpoint

    def touched(*_args: object, **_settings: object) -> None:
        raise AssertionError("the model was read")

    monkeypatch.setattr(vall_e_lm.checkpoint, "load_model", touched)
    out = () if "-o" in flags else (str(tmp_path / "out.wav"),)
    model = tmp_path / "m.sft"
    model.write_bytes(b"never read")
    done = cli("tts", "hello", reference, *out, "--model", model, "--phonemizer", "letters", *flags, code=code)
    assert "the model was read" not in done.stderr


@pytest.mark.slow
def test_silence_at_the_ends_of_a_reference_is_left_out(
    tts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: three seconds of it were all that the model got to hear of the voice."""
    monkeypatch.setenv("VALL_E_VOICES", str(tmp_path / "voices"))
    quiet = np.zeros(16_000 * 4, np.float32)
    padded = tmp_path / "padded.wav"
    soundfile.write(padded, np.concatenate([quiet, wave(), quiet]), 16_000)
    tts.reference = padded
    record = tts("--input-prompt-length", 0)
    assert 100 <= record["prompt"]["frames"] <= 114
    assert record["warnings"][0] == f"{padded}: 7.7 s of silence at its ends left out"
    whole = tts("--input-prompt-length", 0, "--keep-silence")
    assert whole["prompt"]["frames"] == 500 and whole["warnings"] == []
    tts.cli("voices", "add", "padded", padded, "--codec", "tiny")
    out = tmp_path / "voice.wav"
    flags = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--seed", 1)
    tts.cli("tts", record["text"], out, "--voice", "padded", "--input-prompt-length", 0, *flags)
    tts("--input-prompt-length", 0)
    assert out.read_bytes() == tts.out.read_bytes()


def test_a_constant_offset_does_not_reach_the_codec(tts: Any, tmp_path: Path) -> None:
    plain = tts()
    shifted = tmp_path / "shifted.wav"
    soundfile.write(shifted, wave() + np.float32(0.25), 16_000, subtype="FLOAT")
    tts.reference = shifted
    record = tts()
    assert "DC offset" in record["warnings"][0]
    assert record["prompt"] == plain["prompt"]


@pytest.mark.slow
def test_a_reference_may_begin_after_a_long_silence(tts: Any, tmp_path: Path) -> None:
    """Regression: it was called silent, for no more than its first 30 s were looked at."""
    room = (10 ** (-50 / 20) * np.random.default_rng(0).standard_normal(40 * 16_000)).astype(np.float32)
    late = tmp_path / "late.wav"
    for quiet in (room, room * 0):
        soundfile.write(late, np.concatenate([quiet, wave(3), quiet[: 2 * 16_000]]), 16_000)
        tts.reference = late
        record = tts("--input-prompt-length", 0, "--max-ar-steps", 4, "--max-tries", 1)
        assert 150 <= record["prompt"]["frames"] <= 175
        assert any("without speech" in line for line in record["warnings"])


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [4, 40])
def test_a_reference_in_which_nobody_speaks_is_refused(tts: Any, tmp_path: Path, seconds: int) -> None:
    """Noise gave a voice that nobody had meant."""
    noise = tmp_path / "noise.wav"
    soundfile.write(noise, (0.03 * np.random.default_rng(0).standard_normal(seconds * 16_000)), 16_000)
    tts.reference = noise
    error = tts.run(code=3).stderr
    assert "no speech was found in" in error and "--keep-silence" in error
    tts("--keep-silence", "--max-ar-steps", 4, "--max-tries", 1)
