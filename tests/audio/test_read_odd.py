"""Files that recorders, phones and pipes leave behind."""

from __future__ import annotations

import io
import shlex
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_audio import read_audio, read_windows
from vall_e_core import InputError
from vall_e_core.cli import main

RATE = 16_000
Array = np.ndarray[Any, Any]


def wave(seconds: float = 3.0) -> Array:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * (140 + 40 * np.sin(3 * time)) * time)).astype(np.float32)


def encoded(format: str, subtype: str, seconds: float = 3.0) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave(seconds), RATE, format=format, subtype=subtype)
    return file.getvalue()


def with_size(size: int, total: int | None = None, order: str = "<") -> bytes:
    data = bytearray(encoded("WAV", "PCM_16"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack(f"{order}I", size)
    if total is not None:
        data[4:8] = struct.pack(f"{order}I", total)
    return bytes(data)


@pytest.mark.parametrize(("size", "total"), [(0, None), (0, 0), (0, 36), (1, None), (2000, None), (2001, 2037)])
def test_a8_a_size_that_is_too_small_hides_nothing(size: int, total: int | None) -> None:
    """Regression: a file whose writer was killed, or wrote to a pipe, was called empty or cut down to a moment."""
    told: list[str] = []
    clip = read_audio(with_size(size, total), sample_rate=RATE, notify=told.append)
    assert clip.seconds == pytest.approx(3) and len(told) == 1 and "longer than its header says" in told[0]
    np.testing.assert_allclose(clip.samples, wave(), atol=1e-4)
    assert sum(each.seconds for each in read_windows(with_size(size, total), 1.0)) == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("tail", [b"LIST\x04\0\0\0INFO", b"\0", b"\0" * 7])
def test_what_follows_the_data_is_not_taken_for_sound(tail: bytes) -> None:
    told: list[str] = []
    clip = read_audio(encoded("WAV", "PCM_16") + tail, sample_rate=RATE, notify=told.append)
    assert clip.seconds == pytest.approx(3) and told == []
    with pytest.raises(InputError, match="holds no audio"):
        read_audio(encoded("WAV", "PCM_16", 0.0) + tail)


@pytest.mark.parametrize(
    ("format", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")]
)
def test_a8_a_cut_file_of_any_kind_is_read_and_called_one(format: str, subtype: str) -> None:
    """Regression: of Ogg and AIFF nothing was said."""
    data = encoded(format, subtype, 12.0)
    told: list[str] = []
    assert read_audio(data, notify=told.append).seconds == pytest.approx(12, abs=0.1) and told == []
    clip = read_audio(data[: len(data) * 6 // 10], notify=told.append)
    assert 2 < clip.seconds < 10 and any("is cut off" in line for line in told)


OGG = b"OggS" + b"\0" * 24
FOREIGN = {
    "memo.m4a": b"\0\0\0\x18ftypM4A ",
    "memo.caf": b"caff\0\x01\0\0desc",
    "call.amr": b"#!AMR\n<\x91",
    "x.wma": b"\x30&\xb2u",
    "x.webm": b"\x1aE\xdf\xa3",
    "x.aac": b"\xff\xf1P\x80",
    "x.wv": b"wvpk",
    "x.spx": OGG + b"Speex   1",
    "flac.ogg": OGG + b"\x7fFLAC",
    "x.g722": b"\xfa\xda\xb5",
    "x.raw": b"\0\x01",
    "x.au": b".snd",
}


@pytest.mark.parametrize("folder", [".", "my memos", "it's $HOME; rm"])
@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_a10_what_is_not_read_is_named_with_a_command_that_can_be_pasted(
    tmp_path: Path, folder: str, name: str
) -> None:
    """Regression: .caf had no hint, .amr and .aac no name, and a blank in a path broke the command."""
    path = tmp_path / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(FOREIGN[name] + bytes(200))
    with pytest.raises(InputError, match="not an audio file that can be read") as caught:
        read_audio(path)
    words = shlex.split(caught.value.try_ or "")
    assert words[0] == "ffmpeg" and words[words.index("-i") + 1] == str(path)
    assert words[-1] == str(path.with_suffix(".wav")) and "(" in caught.value.message


def test_a_name_that_ffmpeg_would_misread_is_written_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i.m4a", "http:x.m4a"):
        Path(name).write_bytes(FOREIGN["memo.m4a"])
        with pytest.raises(InputError) as caught:
            read_audio(name)
        assert f"./{name}" in shlex.split(caught.value.try_ or "")


def test_a_wav_that_is_to_be_converted_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "phone.wav"
    soundfile.write(path, wave(), RATE, subtype="MS_ADPCM")
    with pytest.raises(InputError) as caught:
        read_audio(path)
    assert shlex.split(caught.value.try_ or "")[-1] == str(tmp_path / "phone-pcm.wav")


DAMAGED_AIFF: dict[str, Callable[[bytes], bytes]] = {
    "cut in its header": lambda data: data[:20],
    "cut before its samples": lambda data: data[:40],
    "without samples": lambda data: data.replace(b"SSND", b"XXXX", 1),
    "without a description": lambda data: data.replace(b"COMM", b"XXXX", 1),
    "without channels": lambda data: data[:20] + b"\0\0" + data[22:],
    "zeros": lambda data: data[:12] + bytes(200),
    "text": lambda data: b"this is no sound" * 20,
}


@pytest.mark.parametrize("name", DAMAGED_AIFF)
def test_a8_a_damaged_aiff_is_one_error_without_a_librarys_trace(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    """Regression: the decoder was sent before the file's begin, and soundfile printed a traceback of its own."""
    path = tmp_path / "memo.aiff"
    path.write_bytes(DAMAGED_AIFF[name](encoded("AIFF", "PCM_16")))
    for command in (["tts", "Yes.", "--ref", str(path), "-o", str(tmp_path / "out.wav")], ["stt", str(path)]):
        capfd.readouterr()
        assert main(command) == 3
        said = capfd.readouterr()
        assert said.out == "" and said.err.startswith("error: ") and str(path) in said.err
        assert "Traceback" not in said.err and "ignored" not in said.err


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF"])
def test_a12_no_damage_makes_a_library_print(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Regression: one in ten AIFF files with changed bytes in its header did."""
    data, random = encoded(kind, "VORBIS" if kind == "OGG" else "PCM_16", 1.0), np.random.default_rng(1)
    for _ in range(60):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[random.integers(0, 64, 4)] = random.integers(0, 256, 4)
        with suppress(InputError):
            read_audio(damaged.tobytes(), allow_silence=True)
    assert capfd.readouterr() == ("", "")
