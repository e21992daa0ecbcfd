"""Writing audio: finite, clipped with a warning, the suffix chooses, and bytes for a pipe that any reader takes."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vall_e_audio import (
    SYNTHETIC,
    AudioWriter,
    encode_wave,
    pcm16_bytes,
    read_audio,
    stream_header,
    wav_around,
    write_audio,
)
from vall_e_audio.write import encoded
from vall_e_core import InputError, UsageError, VallEError

TONE = (0.5 * np.sin(np.arange(24_000) / 20)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "format", "subtype"),
    [
        ("wav", "WAV", "PCM_16"), ("FLAC", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_the_suffix_chooses_the_format(tmp_path: Path, suffix: str, format: str, subtype: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_audio(path, TONE, 24_000)
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.channels) == (format, subtype, 1)
    assert abs(info.duration - 1) < 0.1
    assert read_audio(path).seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.wav.txt", "a.m4a"])
def test_an_unknown_suffix_is_a_usage_error_that_lists_the_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="unknown audio format") as caught:
        write_audio(tmp_path / name, TONE, 24_000)
    assert ".wav" in str(caught.value.try_) and caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_never_written(tmp_path: Path, bad: float) -> None:
    """As 16-bit PCM a NaN is a full-scale click."""
    wave = TONE.copy()
    wave[7] = bad
    with pytest.raises(VallEError, match="NaN") as caught:
        write_audio(tmp_path / "a.wav", wave, 24_000)
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(VallEError, match="NaN"):
        pcm16_bytes(wave)


def test_samples_beyond_full_scale_are_clipped_with_one_warning(tmp_path: Path) -> None:
    notices: list[str] = []
    write_audio(tmp_path / "a.wav", 3 * TONE, 24_000, notify=notices.append)
    assert len(notices) == 1 and "were clipped" in notices[0]
    written, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(written, np.clip(3 * TONE, -1, 1), atol=1e-4)


def test_pieces_written_one_by_one_are_the_whole(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", 24_000) as writer:
        for start in range(0, len(TONE), 7_000):
            writer.write(TONE[start : start + 7_000])
        assert writer.frames == len(TONE)
    write_audio(tmp_path / "b.wav", TONE, 24_000)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.slow
def test_minutes_of_ogg_at_once(tmp_path: Path) -> None:
    """libvorbis runs out of stack when it is handed minutes in one call."""
    write_audio(tmp_path / "a.ogg", np.zeros(24_000 * 600, np.float32), 24_000)
    assert soundfile.info(tmp_path / "a.ogg").duration == pytest.approx(600)


def test_an_open_file_gets_wav_unless_told_otherwise() -> None:
    plain, flac = io.BytesIO(), io.BytesIO()
    write_audio(plain, TONE, 24_000)
    write_audio(flac, TONE, 24_000, format="flac")
    assert plain.getvalue()[:4] == b"RIFF" and flac.getvalue()[:4] == b"fLaC"
    assert encoded(TONE, 24_000) == plain.getvalue()


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_a_file_says_about_itself_what_it_is_told_to(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{format}"
    path.write_bytes(encode_wave(TONE, 24_000, format, comment=SYNTHETIC))
    with soundfile.SoundFile(path) as file:
        assert file.comment == SYNTHETIC and file.frames == pytest.approx(len(TONE), abs=1500)
    data = path.read_bytes()
    if format == "wav":
        assert data[:44] != stream_header(24_000, len(TONE)) and data[44 : 44 + 2 * len(TONE)] == pcm16_bytes(TONE)
        assert int.from_bytes(data[4:8], "little") == len(data) - 8 and len(data) % 2 == 0
    if shutil.which("ffprobe"):
        command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True)
        assert SYNTHETIC in said.stdout and not said.stderr


@pytest.mark.parametrize("known", [True, False])
def test_d4_bytes_for_a_pipe_parse_whether_the_length_is_known_or_not(known: bool) -> None:
    data = stream_header(24_000, len(TONE) if known else None) + pcm16_bytes(TONE)
    wave, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate == 24_000
    np.testing.assert_allclose(wave, TONE, atol=1e-4)
    assert read_audio(data).seconds == 1


def test_a_stream_longer_than_a_header_can_count_says_unknown() -> None:
    assert stream_header(24_000, 1 << 31)[40:44] == b"\xff\xff\xff\xff" == stream_header(24_000)[4:8]


def test_a_wav_file_that_cannot_count_its_samples_has_nothing_behind_them() -> None:
    """A reader takes all bytes up to the end for samples then."""
    before, behind = wav_around(24_000, 1 << 31, SYNTHETIC)
    assert (before, behind) == (stream_header(24_000, 1 << 31), b"")
    frames = (1 << 31) - 100
    before, behind = wav_around(24_000, frames, SYNTHETIC)
    assert SYNTHETIC.encode() in behind
    assert int.from_bytes(before[4:8], "little") == 2 * frames + 36 + len(behind)


def test_what_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't write"):
        write_audio(tmp_path / "no" / "such" / "folder.wav", TONE, 24_000)
    with pytest.raises(UsageError, match="44100 Hz"):
        write_audio(tmp_path / "a.opus", TONE, 44_100)
    with pytest.raises(UsageError, match="unknown audio format"):
        write_audio(io.BytesIO(), TONE, 24_000, format="aac")
    with pytest.raises(ValueError, match="one channel"):
        write_audio(io.BytesIO(), TONE[None], 24_000)


def test_nothing_is_a_valid_file(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", [], 24_000)
    assert soundfile.info(tmp_path / "a.wav").frames == 0
