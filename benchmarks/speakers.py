"""Part `speakers`: programs that speak on a CPU, each as a process of its own, all with one text.

Peers are run as programs and never imported, whatever their license: flite and piper where they are installed, Kokoro
through the teacher's folder of `tools/train_mini`. None of them clones a voice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import soundfile

from .process import ROOT, environment, program
from .report import Report, Row
from .settings import SENTENCES, Settings

PART = "speakers"
VOICE = "heart"
HEADER = 64
"""Bytes of a stream that aren't sound yet."""
KOKORO_VOICE = "af_heart"
KOKORO = f"""
import sys
from pathlib import Path
import soundfile
from tools.train_mini.kokoro import RATE, Teacher
folder, text, out, threads = sys.argv[1:]
teacher = Teacher(Path(folder), int(threads))
spoken = teacher.speak(text, teacher.voice({{"{KOKORO_VOICE}": 1.0}}))
soundfile.write(out, spoken.wave, RATE)
"""


@dataclass(frozen=True)
class Program:
    """How a program is asked. `{out}` in a command stands for the file."""

    key: str
    name: str
    command: tuple[str, ...]
    """Writes the file."""
    streams: tuple[str, ...] = ()
    """Writes sound to standard output while it speaks; empty where it can't."""
    typed: bool = False
    """The text comes on standard input."""
    note: str = "can't clone a voice"


@dataclass(frozen=True)
class Spent:
    """What one run took."""

    wall: float
    memory: int
    """The most of the process, in bytes."""


def run(settings: Settings, report: Report) -> None:
    """Rounds in which every program has its turn."""
    text = settings.text if settings.quick else " ".join(SENTENCES)
    threads = settings.threads or os.cpu_count() or 1
    found = programs(settings, text, threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        walls: dict[str, list[Spent]] = {each.key: [] for each in found}
        firsts: dict[str, list[float]] = {each.key: [] for each in found}
        for turn in range(1 if settings.quick else settings.runs + 1):
            for each in found:
                spent = whole(each, folder / f"{each.key}.wav", text, threads)
                first = first_sound(each, text, threads) if each.streams else None
                if turn or settings.quick:
                    walls[each.key].append(spent)
                    firsts[each.key] += [] if first is None else [first]
        for each in found:
            _report(each, folder / f"{each.key}.wav", walls[each.key], firsts[each.key], report)


def programs(settings: Settings, text: str, threads: int) -> list[Program]:
    """Ours, and those that are there."""
    ours = (*program(), "tts", text, "--voice", VOICE, "--seed", "1", "--no-sidecar", "--threads", str(threads))
    found = [Program(
        "vall-e", "vall-e, the embedded voice", (*ours, "-y", "-o", "{out}"), (*ours, "--stream", "-o", "-"),
        note="clones a voice from seconds of it",
    )]  # fmt: skip
    if (flite := shutil.which("flite")) is not None:
        found.append(Program("flite", "flite, slt", (flite, "-voice", "slt", "-t", text, "-o", "{out}")))
    if (piper := shutil.which("piper")) is not None and settings.piper is not None:
        ask = (piper, "-m", settings.piper)
        name = f"piper, {Path(settings.piper).stem}"
        found.append(Program("piper", name, (*ask, "-f", "{out}"), (*ask, "--output-raw"), typed=True))
    if settings.kokoro is not None:
        ask = (sys.executable, "-c", KOKORO, settings.kokoro, text, "{out}", str(threads))
        found.append(Program("kokoro", f"Kokoro-82M int8 (ONNX), {KOKORO_VOICE}", ask))
    return found


def whole(each: Program, out: Path, text: str, threads: int) -> Spent:
    """The process from its start to its end. Raises RuntimeError where it fails."""
    command = [str(out) if part == "{out}" else part for part in each.command]
    began = perf_counter()
    process = _started(each, command, threads)
    _, complaint = process.communicate(text.encode() if each.typed else None)
    wall = perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"{each.name}: {complaint.decode(errors='replace').strip()[-300:]}")
    return Spent(wall, _memory(command, each, text, threads))


def _memory(command: Sequence[str], each: Program, text: str, threads: int) -> int:
    """The most memory of the same command: measured by a process that has no other child."""
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], input=sys.stdin.buffer.read(), capture_output=True, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    typed = text.encode() if each.typed else b""
    done = subprocess.run(
        [sys.executable, "-c", script, *command], input=typed, capture_output=True, check=True, cwd=ROOT,
        env=environment(threads),
    )  # fmt: skip
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


def first_sound(each: Program, text: str, threads: int) -> float:
    """Seconds from the start of the process until there is sound on its standard output."""
    began = perf_counter()
    process = _started(each, each.streams, threads)
    assert process.stdin is not None and process.stdout is not None
    if each.typed:
        process.stdin.write(text.encode())
    process.stdin.close()
    seen = 0
    while seen <= HEADER:
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            raise RuntimeError(f"{each.name}: no sound came")
        seen += len(piece)
    first = perf_counter() - began
    process.stdout.read()
    process.wait()
    return first


def _started(each: Program, command: Sequence[str], threads: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env=environment(threads),
    )  # fmt: skip


def _report(each: Program, out: Path, spent: Sequence[Spent], firsts: Sequence[float], report: Report) -> None:
    seconds = soundfile.info(out).duration
    factors = tuple(one.wall / seconds for one in spent)
    key = f"{PART}.{each.key}"
    note = f"{seconds:.1f} s of speech; {each.note}"
    report.add(Row(PART, f"{key}.rtf", f"{each.name}: the whole process / speech", median(factors), "x", note,
                   rounds=factors))  # fmt: skip
    if firsts:
        report.add(Row(PART, f"{key}.first", f"{each.name}: first sound", median(firsts), "s", "of a cold process",
                       rounds=tuple(firsts)))  # fmt: skip
    memory = max(one.memory for one in spent) / 2**20
    report.add(Row(PART, f"{key}.memory", f"{each.name}: the most memory", memory, "MiB"))
