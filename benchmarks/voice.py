"""Part `voice`: the real-time factor of the embedded voice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from vall_e_core import VallE, VallEError

from .process import ProbeError, program, time_command
from .report import Report, Row
from .settings import Settings

PART = "voice"
VOICE = "heart"


def run(settings: Settings, report: Report) -> None:
    """Load, speak once unmeasured, speak; then the whole command in a process of its own."""
    try:
        began = perf_counter()
        engine = VallE.load(device="cpu", threads=settings.threads)
        loading = perf_counter() - began
        length = engine.synthesize(settings.text, voice=VOICE, seed=1).seconds
        factors, steps = [], []
        for _ in range(settings.runs):
            began = perf_counter()
            speech = engine.synthesize(settings.text, voice=VOICE, seed=1)
            factors.append((perf_counter() - began) / speech.seconds)
            steps.append(speech.record["timings"])
    except (VallEError, OSError) as error:
        reason = error.render() if isinstance(error, VallEError) else str(error)
        return report.missing(PART, f"{PART}.rtf", "real-time factor", reason)
    note = f"{min(factors):.3g} to {max(factors):.3g}; {length:.2f} s of speech, below 1 is faster than it is spoken"
    report.add(Row(PART, f"{PART}.rtf", "real-time factor", median(factors), "x", note))
    for stage in ("encode", "text", "level 0", "further levels", "decode"):
        spent = median(each.get(stage, 0.0) for each in steps)
        report.add(Row(PART, f"{PART}.{stage.replace(' ', '_')}", f"of this: {stage}", spent / length, "x"))
    report.add(Row(PART, f"{PART}.load", "loading model and codec", loading, "s"))
    _whole(settings, report, length)


def _whole(settings: Settings, report: Report, length: float) -> None:
    """`vall-e tts` from nothing to a file: what somebody waits for who says one sentence."""
    name = "vall-e tts, the whole command / speech"
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                *program(), "tts", settings.text, "--voice", VOICE, "--seed", "1", "-y",
                "-o", str(Path(folder) / "out.wav"),
            ]  # fmt: skip
            turns = range(min(3, settings.runs))
            spent = median(time_command(command, threads=settings.threads).wall for _ in turns)
    except ProbeError as error:
        return report.missing(PART, f"{PART}.command", name, str(error))
    report.add(Row(PART, f"{PART}.command", name, spent / length, "x", f"{spent:.2f} s"))
