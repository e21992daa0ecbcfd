"""What killed runs leave, files that go together, and paths that are no files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import InputError, UsageError
from vall_e_files import check_output, write_atomic

FLAGS = ("--phonemizer", "letters", "--device", "cpu")
WRITER = """
import sys, time
from pathlib import Path
from vall_e_files import write_atomic
def write(file):
    file.write(b"half"); file.flush(); print("ready", flush=True); time.sleep(60)
write_atomic(Path(sys.argv[1]), write)
"""


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob(".vall-e-*"))


def aged(path: Path) -> Path:
    """As it was some minutes ago."""
    then = time.time() - 600
    os.utime(path, (then, then))
    return path


def start(folder: Path, environment: dict[str, str]) -> Any:
    command = [sys.executable, "-c", WRITER, str(folder / "a.wav")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def stop(process: Any) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_d11_what_a_killed_run_left_goes_with_the_next_and_a_live_runs_file_stays(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    stop(start(tmp_path, environment))
    (dead,) = parts(tmp_path)
    live = start(tmp_path, environment)
    (held,) = set(parts(tmp_path)) - {dead}
    mine = tmp_path / ".vall-e-notes.part"
    mine.write_text("a user's own")
    check_output(str(tmp_path / "out.wav"))
    assert dead in parts(tmp_path), "it is too young to be told from one that is just being made"
    for path in (dead, held, mine):
        aged(path)
    check_output(str(tmp_path / "out.wav"))
    assert parts(tmp_path) == sorted([held, mine])
    stop(live)
    aged(held)
    check_output(str(tmp_path / "out.wav"))
    assert parts(tmp_path) == [mine]


@pytest.mark.slow
def test_d11_a_run_cleans_the_folder_it_writes_to(tts: Any, tmp_path: Path) -> None:
    left = aged_part = tmp_path / ".vall-e-0123456789ab.part"
    left.write_bytes(b"half a file")
    aged(aged_part)
    tts.run()
    assert not left.exists()


@pytest.mark.slow
def test_d12_the_record_does_not_appear_where_the_audio_cannot(
    tts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the audio lay there without its record, and the other way round."""
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("vall_e_files.output.sidecar_path", lambda path: Path("/proc/none") / "out.json")
    done = tts.run(code=3)
    assert "can't write" in done.stderr and set(tmp_path.iterdir()) == before
    monkeypatch.undo()
    link, names = os.link, []

    def taken(source: Any, target: Any) -> None:
        names.append(Path(target).name)
        if not str(target).endswith(".json"):
            raise FileExistsError(17, "exists", str(target))
        link(source, target)

    monkeypatch.setattr(os, "link", taken)
    engine_out = tmp_path / "both.wav"
    arguments = ("tts", "hello", tts.reference, engine_out, "--model", tts.model, *FLAGS)
    assert "exists already" in tts.cli(*arguments, code=2).stderr
    assert names == ["both.wav.json", "both.wav"] and not engine_out.exists() and parts(tmp_path) == []
    assert not Path(f"{engine_out}.json").exists()


def test_d13_names_that_are_too_long_are_refused_before_any_work(tts: Any, tmp_path: Path) -> None:
    long = "x" * 300
    with pytest.raises(InputError, match=r"can't write"):
        check_output(str(tmp_path / f"{'x' * 248}.wav"))  # its record's name would be
    for flags in (
        ("-o", tmp_path / f"{'x' * 249}.wav"), ("-o", tmp_path / f"{long}.wav"), ("--lexicon", f"{long}.tsv"),
        ("--model", f"{long}.sft"), ("--lora", f"{long}.sft"), ("--tokenizer", f"{long}.json"),
    ):  # fmt: skip
        out = () if flags[0] == "-o" else ("-o", tmp_path / "o.wav")
        model = () if flags[0] == "--model" else ("--model", tts.model)
        done = tts.cli("tts", "hello", "--ref", tts.reference, *out, *model, *FLAGS, *flags, code=3)
        assert "internal error" not in done.stderr and "xxx" in done.stderr, flags
        assert done.stderr.count("error: ") == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fifo", "zero"])
def test_d14_no_path_is_waited_for(tts: Any, tmp_path: Path, kind: str) -> None:
    """Regression: `--from` and `samplers plot` waited for a pipe, and read a device without an end."""

    def odd(suffix: str) -> Path:
        path = tmp_path / f"odd{suffix}"
        if not path.is_symlink() and not path.exists():
            os.mkfifo(path) if kind == "fifo" else path.symlink_to("/dev/zero")
        return path

    common = ("--model", tts.model, *FLAGS)
    out = ("-o", tmp_path / "out.wav")
    hello = ("tts", "hello", "--ref", tts.reference)
    for command, codes in (
        (("tts", "--from", odd(".json"), *out), {3}),
        (("tts", "-f", odd(".txt"), "--ref", tts.reference, *out, *common), {3}),
        (("tts", "hello", "--ref", odd(".wav"), *out, *common), {3}),
        ((*hello, "-o", odd(".wav"), "-y", *common), {2}),
        ((*hello, *out, *common, "--trace", odd(".jsonl"), "-y"), {2}),
        ((*hello, *out, *common, "--config", odd(".yaml")), {2}),
        ((*hello, *out, *common, "--lexicon", odd(".tsv")), {3}),
        ((*hello, *out, *common, "--lora", odd(".sft")), {4}),
        ((*hello, *out, "--model", odd(".sft"), *FLAGS), {4}),
        (("stt", odd(".wav"), "--model", tts.model), {3}),
        (("samplers", "plot", odd(".jsonl"), "-o", tmp_path / "p.png"), {3}),
        (("voices", "add", "v", odd(".wav")), {3}),
        (("doctor", "audio", odd(".wav")), {3}),
        (("eval", "tts", "--baseline", odd(".json"), "-o", tmp_path / "run"), {3}),
        (("eval", "tts", "--ref", odd(".tsv"), "-o", tmp_path / "run"), {3}),
    ):
        done = tts.cli(*command, code=None)
        assert done.code in codes, (command, done.stderr)
        assert "error: " in done.stderr and "internal error" not in done.stderr
    assert not (tmp_path / "out.wav").exists() and not (tmp_path / "run").exists()


def test_b14_a_text_of_many_megabytes_is_refused_before_it_is_held(tts: Any, tmp_path: Path) -> None:
    big = tmp_path / "big.txt"
    with open(big, "wb") as file:
        file.truncate(160 << 20)  # without taking room on the disk
    out = tmp_path / "o.wav"
    done = tts.cli("tts", "-f", big, "--ref", tts.reference, "-o", out, "--model", "never-looked-at.sft", code=3)
    assert "too large for a text" in done.stderr and "16 MiB" in done.stderr


def test_d12_audio_and_record_are_both_there_or_neither(tts: Any) -> None:
    tts.run()
    record = json.loads(Path(f"{tts.out}.json").read_text())
    import hashlib

    assert record["output"]["sha256"] == hashlib.sha256(tts.out.read_bytes()).hexdigest()
    assert record["output"]["path"] == str(tts.out)


def test_a_file_that_exists_is_kept_by_a_plain_write(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, lambda file: file.write(b"one"))
    with pytest.raises(UsageError, match="exists already"):
        write_atomic(path, lambda file: file.write(b"two"))
    write_atomic(path, lambda file: file.write(b"three"), overwrite=True)
    assert path.read_bytes() == b"three" and parts(tmp_path) == []
