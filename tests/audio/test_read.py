"""Reading audio: the rows A1-A12 of the reliability list. `A8` and so on are their names there."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_audio import AudioClip, read_audio, read_windows
from vall_e_core import InputError

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
ROOT = Path(__file__).parents[2]


def tone(seconds: float = 1.0, rate: int = 24_000, channels: int = 1, level: float = 0.3) -> Array:
    """[N] or [N, C]: something like speech in level, not constant."""
    time_ = np.arange(round(seconds * rate)) / rate
    wave = (level * np.sin(2 * np.pi * 220 * time_) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time_))).astype(np.float32)
    return wave if channels == 1 else np.stack([wave] * channels, axis=1)


def save(path: Path, wave: Array, rate: int = 24_000, subtype: str | None = None, format: str | None = None) -> Path:
    soundfile.write(path, wave, rate, subtype=subtype, format=format)
    return path


def refused(source: str | Path | bytes, match: str, **options: Any) -> InputError:
    began = time.monotonic()
    with pytest.raises(InputError, match=match) as caught:
        read_audio(source, **options)
    assert time.monotonic() - began < 1
    assert caught.value.exit_code == 3
    return caught.value


def test_a1_missing_folder_fifo_and_forbidden_are_named(tmp_path: Path) -> None:
    refused(tmp_path / "gone.wav", "no such audio file: .*gone.wav")
    refused(str(tmp_path), "is a folder")
    fifo = tmp_path / "fifo.wav"
    os.mkfifo(fifo)
    refused(fifo, "not a regular file")
    refused("a\0b.wav", "can't open")
    refused("x" * 5_000, "can't open")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a1_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", tone())
    path.chmod(0)
    refused(path, r"can't open .*a\.wav")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not an audio file"), (b"hello, this is text\n" * 9, "not an audio file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "PNG"), (b"<!DOCTYPE html><html></html>", "not an audio file"),
        (b"\0\0\0\x20ftypM4A " + b"\0" * 99, "MPEG-4"), (b"\x1aE\xdf\xa3" + b"\0" * 99, "Matroska"),
        (b"RIFF\x24\0\0\0WAVE", "WAV"), (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0", "WAV"), (b"fLaC", "FLAC"),
        (b"OggS" + b"\0" * 99, "OGG"), (b"ID3" + b"\0" * 99, "MP3"), (b"FORM\0\0\0\0AIFF", "AIFF"),
        (b"\xff", "not an audio"),
    ],
)  # fmt: skip
def test_a2_what_is_no_audio_is_said_to_be_none(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert "x.wav" in refused(path, match).message
    refused(content, match)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.4])
def test_a3_too_short_is_refused_with_the_minimum(tmp_path: Path, seconds: float) -> None:
    path = save(tmp_path / "a.wav", tone(seconds))
    error = refused(path, "no audio" if seconds == 0 else "too short")
    assert seconds == 0 or "0.5 s" in str(error.cause)
    if seconds:
        assert read_audio(path, min_seconds=0).seconds == pytest.approx(seconds)


@pytest.mark.parametrize("kind", ["zeros", "quiet", "constant"])
def test_a4_silence_is_refused_or_marked(tmp_path: Path, kind: str) -> None:
    wave = {"zeros": tone() * 0, "quiet": tone(level=1e-4), "constant": tone() * 0 + 0.5}[kind]
    path = save(tmp_path / "a.wav", wave, subtype="FLOAT")
    refused(path, "is silent")
    clip = read_audio(path, allow_silence=True)
    assert clip.silent and clip.seconds == 1
    assert not read_audio(save(tmp_path / "b.wav", tone(level=0.01))).silent


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a5_nan_and_infinity_are_refused(tmp_path: Path, bad: float) -> None:
    wave = tone()
    wave[100] = bad
    path = save(tmp_path / "a.wav", wave, subtype="FLOAT")
    refused(path, "1 samples that aren't numbers")
    with pytest.raises(InputError, match="aren't numbers"):
        list(read_windows(path, 0.5))


def test_a6_clipping_is_reported(tmp_path: Path, notices: list[str]) -> None:
    clip = read_audio(save(tmp_path / "a.wav", np.clip(tone(level=9), -1, 1)), notify=notices.append)
    assert len(notices) == 1 and "is clipped" in notices[0]
    assert np.abs(clip.samples).max() <= 1.01


def test_a6_a_wrong_scale_is_reported_and_scaled(tmp_path: Path, notices: list[str]) -> None:
    clip = read_audio(save(tmp_path / "a.wav", tone(level=50), subtype="FLOAT"), notify=notices.append)
    assert len(notices) == 1 and "scaled down" in notices[0]
    assert np.abs(clip.samples).max() == pytest.approx(1)


@pytest.mark.parametrize("offset", [-0.4, 0.06])
def test_a6_a_constant_part_is_reported_and_taken_off(tmp_path: Path, notices: list[str], offset: float) -> None:
    plain = read_audio(save(tmp_path / "a.wav", tone()), notify=notices.append)
    assert notices == []
    clip = read_audio(save(tmp_path / "b.wav", tone() + offset), notify=notices.append)
    assert len(notices) == 1 and "DC offset" in notices[0]
    np.testing.assert_allclose(clip.samples, plain.samples, atol=2e-3)


@pytest.fixture
def notices() -> list[str]:
    return []


FORMATS = [
    ("wav", "PCM_U8"), ("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "PCM_32"), ("wav", "FLOAT"), ("wav", "DOUBLE"),
    ("wav", "ULAW"), ("wav", "ALAW"), ("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS"), ("mp3", None),
    ("aiff", "PCM_16"),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "subtype"), FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a7_every_encoding_gives_the_same_length(
    tmp_path: Path, suffix: str, subtype: str | None, channels: int, notices: list[str]
) -> None:
    path = save(tmp_path / f"a.{suffix}", tone(2, channels=channels), subtype=subtype)
    clip = read_audio(path, notify=notices.append)
    assert isinstance(clip, AudioClip) and clip.samples.dtype == np.float32 and clip.samples.ndim == 1
    assert abs(clip.seconds - 2) <= 1 / 75 or (suffix == "mp3" and abs(clip.seconds - 2) < 0.1)
    assert (clip.original_channels, clip.original_rate, clip.sample_rate) == (channels, 24_000, 24_000)
    assert notices == []
    if suffix != "mp3":
        np.testing.assert_allclose(clip.samples, tone(2), atol=0.03)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_a7_every_rate_is_resampled_to_the_same_length(tmp_path: Path, rate: int, notices: list[str]) -> None:
    path = save(tmp_path / "a.wav", tone(2, rate), rate)
    clip = read_audio(path, notify=notices.append)
    assert abs(clip.seconds - 2) <= 1 / 75
    middle = slice(4_800, -4_800)
    np.testing.assert_allclose(clip.samples[: 48_000][middle], tone(2)[middle], atol=0.01)
    assert bool(notices) == (rate < 16_000)
    windows = np.concatenate([window.samples for window in read_windows(path, 0.3)])
    assert abs(len(windows) - 48_000) <= 320


@pytest.mark.parametrize("dead", [0, 1])
def test_a7_one_dead_channel_does_not_halve_the_other(tmp_path: Path, dead: int, notices: list[str]) -> None:
    """Regression: taking the first channel alone gave silence where speech was on the second."""
    wave = tone(channels=2)
    wave[:, dead] = 0
    clip = read_audio(save(tmp_path / "a.wav", wave), notify=notices.append)
    np.testing.assert_allclose(clip.samples, tone(), atol=1e-3)
    assert len(notices) == 1 and "silent and left out" in notices[0]


def test_a7_more_than_two_channels_are_averaged(tmp_path: Path) -> None:
    """Regression: references with more than two channels were refused or mixed up."""
    wave = tone(channels=6) * np.array([0.5, 1.0, 1.5, 1.0, 1.2, 0.8], np.float32)
    clip = read_audio(save(tmp_path / "a.wav", wave, subtype="FLOAT"))
    np.testing.assert_allclose(clip.samples, tone(), atol=1e-3)


def test_a7_channels_that_cancel_give_one_of_them(tmp_path: Path, notices: list[str]) -> None:
    wave = tone(channels=2) * np.array([1, -1], np.float32)
    clip = read_audio(save(tmp_path / "a.wav", wave), notify=notices.append)
    np.testing.assert_allclose(np.abs(clip.samples), np.abs(tone()), atol=1e-3)
    assert "cancel" in notices[0]


def wav(data: bytes, claimed: int, *, riff: bytes = b"RIFF", ds64: int | None = None, tag: int = 1) -> bytes:
    extra = b"" if ds64 is None else struct.pack("<4sIQQQI", b"ds64", 28, 0, ds64, 0, 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, 1, 24_000, 48_000, 2, 16)
    return riff + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + extra + form + struct.pack("<4sI", b"data", claimed) + data


PCM = (tone() * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("content", "warned"),
    [
        (wav(PCM, len(PCM)), False), (wav(PCM, 2 * len(PCM)), True), (wav(PCM, 4_000_000_000), True),
        (wav(PCM, 0xFFFFFFFF), False), (wav(PCM, 0x7FFFFFFF), False),
        (wav(PCM, 0xFFFFFFFF, riff=b"RF64", ds64=len(PCM)), False),
        (wav(PCM, 0xFFFFFFFF, riff=b"RF64", ds64=1 << 50), True),
        (wav(PCM[:-1], len(PCM)), True),
    ],
)  # fmt: skip
def test_a8_what_is_there_is_read_and_a_lying_header_reported(content: bytes, warned: bool, notices: list[str]) -> None:
    clip = read_audio(content, notify=notices.append)
    assert abs(clip.seconds - 1) < 1e-3
    np.testing.assert_allclose(clip.samples[:20_000], tone()[:20_000], atol=1e-3)
    assert ["cut off" in notice for notice in notices] == [True] * warned


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("keep", [0.6, 0.9])
def test_a8_a_truncated_file_is_read_as_far_as_it_goes(
    tmp_path: Path, suffix: str, keep: float, notices: list[str]
) -> None:
    whole = save(tmp_path / f"a.{suffix}", tone(4)).read_bytes()
    clip = read_audio(whole[: int(len(whole) * keep)], notify=notices.append)
    assert 4 * keep * 0.7 <= clip.seconds < 4 and np.isfinite(clip.samples).all()
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(clip.samples, tone(4)[: len(clip.samples)], atol=1e-3)
    assert any("cut off" in notice for notice in notices)


@pytest.mark.parametrize("keep", [0.6, 0.9])
def test_a8_of_a_truncated_ogg_file_whole_pages_are_read(tmp_path: Path, keep: float) -> None:
    """It doesn't say how long it ought to be, and a short one may be a single page."""
    noise = np.random.default_rng(0).standard_normal(30 * 16_000).astype(np.float32) * 0.1
    whole = save(tmp_path / "a.ogg", noise).read_bytes()
    assert 30 * keep * 0.6 <= read_audio(whole[: int(len(whole) * keep)], max_seconds=None).seconds < 30


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a8_a_whole_file_is_not_called_cut(tmp_path: Path, suffix: str, notices: list[str]) -> None:
    clip = read_audio(save(tmp_path / f"a.{suffix}", tone(4)), notify=notices.append)
    assert abs(clip.seconds - 4) < 0.1 and notices == []


def test_a8_a_header_never_decides_how_much_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "liar.wav"
    path.write_bytes(wav(PCM, 4_000_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_audio(path, max_seconds=None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a8_more_than_the_header_can_count_is_reported(tmp_path: Path, notices: list[str]) -> None:
    path = tmp_path / "wrapped.wav"
    path.write_bytes(wav(PCM, len(PCM)))
    os.truncate(path, (1 << 32) + len(PCM) + 44)  # sparse
    clip = read_audio(path, notify=notices.append)
    assert clip.seconds == 1 and any("longer than its header" in notice for notice in notices)


def test_a9_only_the_first_seconds_of_a_long_file_are_read(tmp_path: Path, notices: list[str]) -> None:
    path = tmp_path / "long.wav"
    hours = 3 * 3600 * 48_000
    path.write_bytes(wav(PCM, hours))
    os.truncate(path, hours + 44)  # sparse: 3 hours of mostly silence
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    clip = read_audio(path, max_seconds=30, notify=notices.append)
    assert clip.seconds == 30 and time.monotonic() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
    assert notices == [f"{path}: only its first 30 s are used"]


@pytest.mark.slow
def test_a9_windows_cover_a_long_file_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    length = 1800 * 48_000
    path.write_bytes(wav(PCM, length))
    os.truncate(path, length + 44)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lengths = [window.seconds for window in read_windows(path, 20)]
    assert sum(lengths) == 1800 and set(lengths) == {20}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_a9_windows_are_the_file_in_order(tmp_path: Path) -> None:
    wave = tone(3.3)
    path = save(tmp_path / "a.wav", wave, subtype="FLOAT")
    windows = list(read_windows(path, 1))
    assert [round(window.seconds, 3) for window in windows] == [1, 1, 1, 0.3]
    np.testing.assert_array_equal(np.concatenate([window.samples for window in windows]), wave)
    silent = save(tmp_path / "b.wav", np.concatenate([tone() * 0, tone()]))
    assert [window.silent for window in read_windows(silent, 1)] == [True, False]


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32"])
def test_a10_compressed_wav_is_refused_before_the_decoder_sees_it(
    tmp_path: Path, subtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "a.wav", tone(1, 8_000), 8_000, subtype=subtype)

    def opened(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the decoder was called")

    monkeypatch.setattr(soundfile, "SoundFile", opened)
    assert "ffmpeg" in str(refused(path, "unsupported encoding").try_)


@pytest.mark.parametrize(
    ("format", "subtype"), [("AIFF", "IMA_ADPCM"), ("CAF", "PCM_16"), ("W64", "IMA_ADPCM"), ("AU", "G721_32")]
)
def test_a10_other_containers_and_encodings_are_refused(tmp_path: Path, format: str, subtype: str) -> None:
    path = save(tmp_path / "a.x", tone(1, 8_000), 8_000, subtype=subtype, format=format)
    refused(path, "unsupported encoding|not an audio file that can be read")


def test_a10_an_unknown_wav_encoding_is_refused() -> None:
    refused(wav(PCM, len(PCM), tag=0x55), "0x0055")
    refused(wav(PCM, len(PCM), tag=0xFFFE), "0xFFFE")


def test_a11_references_of_different_rates_and_channels_are_all_accepted(tmp_path: Path) -> None:
    """Regression: several references had to share one sample rate."""
    clips = [
        read_audio(save(tmp_path / f"{rate}.wav", tone(1, rate, channels), rate))
        for rate, channels in ((16_000, 1), (44_100, 2), (48_000, 6))
    ]
    assert {clip.sample_rate for clip in clips} == {24_000}
    assert max(clip.seconds for clip in clips) - min(clip.seconds for clip in clips) <= 1 / 75


MUTANTS = """
import random, sys, time
from pathlib import Path
from vall_e_core import InputError
from vall_e_audio import read_audio
outcomes = {"read": 0, "refused": 0}
for path in sorted(Path(sys.argv[1]).iterdir()):
    whole = path.read_bytes()
    for seed in range(50):
        random.seed(f"{path.name}{seed}")
        data = bytearray(whole)
        for _ in range(random.choice([1, 5, 50])):
            data[random.randrange(min(len(data), random.choice([64, 512, len(data)])))] = random.randrange(256)
        began = time.monotonic()
        try:
            read_audio(bytes(data))
            outcomes["read"] += 1
        except InputError:
            outcomes["refused"] += 1
        assert time.monotonic() - began < 2, (path, seed)
print(outcomes["read"] + outcomes["refused"], min(outcomes.values()) > 0)
"""


def test_a12_damaged_files_neither_crash_nor_hang(tmp_path: Path) -> None:
    for suffix, subtype in (("wav", "PCM_16"), ("flac", "PCM_16"), ("ogg", "VORBIS"), ("mp3", None)):
        save(tmp_path / f"a.{suffix}", tone(1), subtype=subtype)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MUTANTS, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "200 True"), done.stderr[-2_000:]


class Pipe(io.RawIOBase):
    """What standard input is when something is piped into it."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


@pytest.mark.parametrize("wrap", [lambda data: data, io.BytesIO, lambda data: io.BufferedReader(Pipe(data))])
def test_bytes_files_and_pipes_read_alike(wrap: Callable[[bytes], bytes]) -> None:
    clip = read_audio(wrap(wav(PCM, 0xFFFFFFFF)))
    assert clip.source == "the recording" and clip.seconds == 1
    assert read_audio(wrap(wav(PCM, len(PCM))), name="ref").source == "ref"


def test_a_pipe_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_audio.read.LARGEST_INPUT", 1_000)
    with pytest.raises(InputError, match="larger than"):
        read_audio(io.BufferedReader(Pipe(wav(PCM, len(PCM)))))


@pytest.mark.slow
def test_a_clip_becomes_a_tensor_of_the_same_samples(tmp_path: Path) -> None:
    clip = read_audio(save(tmp_path / "a.wav", tone()))
    tensor = clip.tensor()
    assert tensor.shape == (24_000,) and tensor.tolist() == clip.samples.tolist()


def test_importing_the_reader_loads_no_torch() -> None:
    code = "import sys; from vall_e_audio import read_audio; print('torch' in sys.modules, 'soundfile' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
