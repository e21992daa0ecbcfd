"""What is written, and how: the rows D of the reliability list."""


from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_audio.joining import FADE_SECONDS, join
from vall_e_core import InputError, UsageError
from vall_e_files import check_output, write_atomic

NoLarger = Callable[[int], Callable[[], None]]
KILLED = """
import sys
from pathlib import Path
from vall_e_files import write_atomic
data = bytes(range(256)) * 4096
print("ready", flush=True)
while True:
    write = lambda file: [file.write(data[i : i + 4096]) for i in range(0, len(data), 4096)]
    write_atomic(Path(sys.argv[1]), write, overwrite=True)
"""


@pytest.mark.slow
def test_d1_a_kill_at_any_moment_leaves_a_whole_file_or_none(tmp_path: Path, environment: dict[str, str]) -> None:
    random.seed(0)
    whole = bytes(range(256)) * 4096
    seen = 0
    for attempt in range(50):
        out = tmp_path / f"{attempt}.wav"
        command = [sys.executable, "-c", KILLED, str(out)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(random.random() * 0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if out.exists():
            seen += 1
            assert out.read_bytes() == whole
    assert seen > 0


@pytest.mark.slow
def test_d1_a_killed_run_leaves_no_partial_result(
    command: Any, model_path: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    arguments, environment = command(
        "tts", "one two three. " * 60, reference, out, "--model", model_path, "--phonemizer", "letters", "--seed", 1
    )  # fmt: skip
    for delay in (1.5, 3.0, 4.5):
        process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if out.exists():
            assert soundfile.info(out).frames > 0
            out.unlink()


@pytest.mark.slow
def test_d2_an_existing_file_is_kept_unless_overwriting_is_asked_for(tts: Any, tmp_path: Path) -> None:
    out = tmp_path / "kept.wav"
    out.write_bytes(b"precious")
    arguments = ["tts", "hello", tts.reference, out, "--model", tts.model, "--phonemizer", "letters", "--device", "cpu"]
    done = tts.cli(*arguments, code=2)
    assert "exists already" in done.stderr and "-y" in done.stderr and out.read_bytes() == b"precious"
    tts.cli(*arguments, "-y")
    assert soundfile.info(out).frames > 0
    out.unlink()
    assert "record exists already" in tts.cli(*arguments, code=2).stderr
    tts.cli(*arguments, "--no-sidecar")
    assert out.exists()


def test_d2_the_output_may_not_be_an_input(tts: Any) -> None:
    before = tts.reference.read_bytes()
    done = tts.cli("tts", "hello", tts.reference, tts.reference, "--model", tts.model, "-y", code=2)
    assert "also an input" in done.stderr and tts.reference.read_bytes() == before
    link = tts.folder / "link.wav"
    link.symlink_to(tts.reference)
    assert "also an input" in tts.cli("tts", "hello", tts.reference, link, "--model", tts.model, "-y", code=2).stderr


@pytest.mark.parametrize(
    ("out", "code", "says"),
    [
        ("folder.wav", 2, "is a folder"), ("none/out.wav", 3, "doesn't exist"), ("out.xyz", 2, "unknown suffix"),
        ("out", 2, "no suffix"), ("file.txt/out.wav", 3, "is a file"), ("", 2, "empty"),
    ],
)  # fmt: skip
def test_d2_a_place_that_cannot_be_written_is_refused(tts: Any, out: str, code: int, says: str) -> None:
    (tts.folder / "folder.wav").mkdir()
    (tts.folder / "file.txt").write_text("x")
    place = str(tts.folder / out) if out else ""
    done = tts.cli("tts", "hello", tts.reference, place, "--model", "none.sft", code=code)
    assert says in done.stderr


def test_d2_home_is_known_where_no_shell_has_seen_the_path(
    cli: Any, tts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: `output: ~/out.wav` in a file meant a folder called ~."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    config = tmp_path / "run.yaml"
    config.write_text(f"output: ~/home.wav\ntext: hello\nref: [{tts.reference}]\nmodel: {tts.model}\n")
    cli("--config", config, "tts", "--phonemizer", "letters", "--device", "cpu", "--max-ar-steps", 5)
    assert (tmp_path / "home.wav").exists()
    assert "is a folder" in cli("tts", "hello", tts.reference, ".", code=2).stderr


@pytest.mark.parametrize("format", ["wav", "flac", "ogg", "opus", "mp3"])
def test_a_file_says_that_its_speech_is_synthetic(tts: Any, format: str) -> None:
    out = tts.folder / f"new.{format}"
    tts.cli(
        "tts", "hello", tts.reference, out, "--model", tts.model, "--phonemizer", "letters", "--device", "cpu",
        "--max-ar-steps", 5, "--seed", 1,
    )  # fmt: skip
    with soundfile.SoundFile(out) as file:
        assert file.comment.startswith("synthetic speech, vall-e ")
    record = json.loads(out.with_name(f"{out.name}.json").read_text("utf-8"))
    assert record["output"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()


def test_d2_an_unwritable_folder_is_refused_before_any_work(tts: Any) -> None:
    done = tts.cli("tts", "hello", tts.reference, "/proc/self/out.wav", "--model", "none.sft", code=3)
    assert "can't write to the folder" in done.stderr


def test_d2_a_device_is_not_replaced() -> None:
    with pytest.raises(UsageError, match="isn't a regular file"):
        check_output("/dev/null", format="wav", overwrite=True)
    assert Path("/dev/null").is_char_device()


def test_d2_a_full_disk_leaves_nothing_behind(no_larger: NoLarger, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from vall_e_core import InputError\n"
        "from vall_e_files import write_atomic\n"
        "try: write_atomic(Path(sys.argv[1]), lambda file: file.write(b'x' * 5000))\n"
        "except InputError as error: print(error.exit_code, error.try_)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out.wav")]
    done = subprocess.run(command, preexec_fn=no_larger(1000), capture_output=True, text=True, check=True)
    assert done.stdout == "3 free some disk space, or another folder\n" and list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_d2_a_run_on_a_full_disk_says_so_and_leaves_nothing(
    no_larger: NoLarger, command: Any, model_path: Path, reference: Path, tmp_path: Path
) -> None:
    arguments, environment = command(
        "tts", "hello there my friend", reference, tmp_path / "new.wav", "--model", model_path, "--phonemizer",
        "letters", "--device", "cpu", "--seed", 1,
    )  # fmt: skip
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        arguments, env=environment, preexec_fn=no_larger(1000), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3 and "free some disk space" in done.stderr and "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_d2_a_write_that_fails_or_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):

        def write(file: Any, error: BaseException = error) -> None:
            file.write(b"half")
            raise error

        with pytest.raises((InputError, KeyboardInterrupt)):
            write_atomic(tmp_path / "out.wav", write)
        assert list(tmp_path.iterdir()) == []


def test_d2_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"

    def write(file: Any) -> None:
        file.write(b"mine")
        out.write_bytes(b"theirs")

    with pytest.raises(UsageError, match="exists already"):
        write_atomic(out, write)
    assert out.read_bytes() == b"theirs" and list(tmp_path.iterdir()) == [out]


def test_d2_a_link_is_followed_and_the_mode_follows_the_mask(tmp_path: Path) -> None:
    target, link = tmp_path / "target.wav", tmp_path / "link.wav"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomic(link, lambda file: file.write(b"new"), overwrite=True)
    assert link.is_symlink() and target.read_bytes() == b"new"
    mask = os.umask(0)
    os.umask(mask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def speak_to_stdout(command: Any, model: Path, reference: Path, *flags: object) -> tuple[list[str], dict[str, str]]:
    found: tuple[list[str], dict[str, str]] = command(
        "tts", "hello there my friend", reference, "-", "--model", model, "--phonemizer", "letters", "--device", "cpu",
        "--seed", 1, *flags,
    )  # fmt: skip
    return found


@pytest.mark.slow
def test_d3_a_closed_standard_output_ends_quietly(command: Any, model_path: Path, reference: Path) -> None:
    arguments, environment = speak_to_stdout(command, model_path, reference)
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141 and "Traceback" not in error and "Exception" not in error


@pytest.mark.slow
def test_d4_standard_output_carries_a_wav_and_nothing_else(command: Any, model_path: Path, reference: Path) -> None:
    import io

    arguments, environment = speak_to_stdout(command, model_path, reference, "-v")
    done = subprocess.run(arguments, env=environment, capture_output=True, check=True)
    wave, rate = soundfile.read(io.BytesIO(done.stdout))
    assert rate == 8_000 and len(wave) * 2 + 44 == len(done.stdout) and done.stderr
    arguments, environment = speak_to_stdout(command, model_path, reference, "--format", "pcm_s16le", "--json")
    raw = subprocess.run(arguments, env=environment, capture_output=True, check=True)
    assert raw.stdout == done.stdout[44:] and b"s16le, 8000 Hz, 1 channel" in raw.stderr
    record = json.loads(next(line for line in raw.stderr.splitlines() if line.startswith(b"{")))
    assert record["output"]["path"] is None and record["output"]["samples"] == len(wave)


@pytest.mark.slow
def test_d5_the_files_length_is_the_sum_of_its_parts(tts: Any) -> None:
    text = "The first sentence stands here. The second sentence is there. The third sentence ends it all."
    record = tts(text=text)
    assert len(record["parts"]) == 3
    total = sum(part["duration"] + part["pause"] for part in record["parts"])
    info = soundfile.info(tts.out)
    assert info.duration == pytest.approx(total) == pytest.approx(record["duration"])
    assert info.frames == record["output"]["samples"] and info.samplerate == 8_000
    for part in record["parts"]:
        assert part["duration"] == pytest.approx(part["frames"] / 50)


def test_d6_nan_from_the_codec_names_the_stage_and_writes_nothing(tts: Any) -> None:
    done = tts.run("--codec", "tiny-nan", code=1)
    assert "stage: codec" in done.stderr and "internal error" not in done.stderr
    assert not tts.out.exists() and not Path(f"{tts.out}.json").exists()


@pytest.mark.parametrize(("where", "stage"), [("ar", "AR"), ("nar", "NAR")])
def test_d6_nan_from_the_model_names_the_stage(
    tts: Any, where: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from vall_e_lm import Model, Target

    original = Model.embed

    def embed(self: Model, inputs: Any, target: Target) -> Any:
        found = original(self, inputs, target)
        if target.kind == where:
            found.embeds = torch.full_like(found.embeds, float("nan"))
        return found

    monkeypatch.setattr(Model, "embed", embed)
    done = tts.run(code=1)
    assert f"stage: {stage})" in done.stderr and not tts.out.exists()


def test_d7_joins_fade_within_five_milliseconds_and_lose_no_sample() -> None:
    rate = 24_000
    parts = [np.full(3_000, 0.5, np.float32), np.full(5_001, -0.7, np.float32), np.full(7, 0.9, np.float32)]
    wave, places = join(parts, rate, 0.01)
    assert len(wave) == sum(map(len, parts)) + 2 * 240 == places[-1].start + places[-1].length
    assert FADE_SECONDS <= 0.005
    size = round(FADE_SECONDS * rate)
    for part, place in zip(parts[:2], places, strict=False):
        inside = wave[place.start + size : place.start + place.length - size]
        np.testing.assert_array_equal(inside, part[size:-size])
        assert wave[place.start] == 0 and wave[place.start + place.length - 1] == 0
    assert np.abs(np.diff(wave[: places[1].start + places[1].length])).max() < 0.05


def test_d7_a_fade_keeps_the_length_of_any_wave() -> None:
    for length in (0, 1, 2, 3, 100, 1_000):
        assert len(join([np.ones(length, np.float32)], 8_000, 0.0)[0]) == length


def test_the_record_names_everything_needed_to_repeat(tts: Any) -> None:
    import hashlib

    record = tts()
    assert record["model"]["sha256"] == hashlib.sha256(tts.model.read_bytes()).hexdigest()
    assert record["output"]["sha256"] == hashlib.sha256(tts.out.read_bytes()).hexdigest()
    assert record["references"][0]["sha256"] == hashlib.sha256(tts.reference.read_bytes()).hexdigest()
    for key in (
        "text", "phonemes", "language", "seed", "samplers", "codec", "versions", "device", "dtype", "stop_reason",
        "refined", "tries", "duration", "timings", "rtf", "warnings", "arguments",
    ):  # fmt: skip
        assert key in record, key
    assert {"python", "torch", "vall-e", "numpy"} <= set(record["versions"])
    tts.run("--no-sidecar")
    assert tts.out.exists() and not Path(f"{tts.out}.json").exists()


def test_a_trace_is_a_file(tts: Any, tmp_path: Path) -> None:
    """Regression: `--trace -` wrote a file of that name."""
    assert "standard output" in tts.run("--trace", "-", code=2).stderr
    assert not Path("-").exists()


def test_d15_another_format_than_the_name_promises_is_said(tts: Any) -> None:
    done = tts.run("--format", "mp3", "--max-ar-steps", 5)
    assert f"{tts.out} is mp3, as --format says, though it is named like wav" in done.stderr
    assert "though" not in tts.run("--format", "wav", "--max-ar-steps", 5).stderr
