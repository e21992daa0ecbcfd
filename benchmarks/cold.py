"""Part `cold`: the whole of `vall-e tts` as a process of its own, and where its time goes.

Cold is the process, not the system's file cache: the first round, which fills it, doesn't count.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median

from .process import ProbeError, probe, program, time_command
from .report import Report, Row
from .settings import THREE_SECONDS, Settings

PART = "cold"
VOICE = "heart"
MOST_SECONDS = 3.5
IMPORTED = ("vall_e_tts.command", "vall_e_tts.synthesis.scheduler", "vall_e_lm.decode", "vall_e_mini.networks")
"""What such a command imports besides torch; some more modules come while it loads and speaks."""
STAGES = {
    "python": "Python starts",
    "torch": "import torch",
    "other imports": "import of all else",
    "load": "model, voice and codec are loaded",
    "encode": "reference to codes",
    "text": "text to phonemes",
    "level 0": "level 0, with its prefill",
    "further levels": "further levels",
    "decode": "codes to audio",
    "listen": "levels of a take that is listened to, and listening",
    "score": "the take is looked at",
    "other": "options, joining, the record",
    "write": "the file is written",
}


def run(settings: Settings, report: Report) -> None:
    """The command as it is, and a process that does the same and looks at the clock between."""
    name = "vall-e tts, 3 s of speech, the whole process"
    walls, cpus, profiles = [], [], []
    text = settings.text if settings.quick else THREE_SECONDS
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.wav"
            command = [*program(), "tts", text, "--voice", VOICE, "--seed", "1", "-y", "-o", str(out)]
            for turn in range(1 if settings.quick else settings.runs + 1):
                spent = time_command(command, threads=settings.threads)
                profile = probe("cold", text, repr(time.time()), threads=settings.threads)
                if turn or settings.quick:
                    walls.append(spent.wall)
                    cpus.append(spent.cpu)
                    profiles.append(profile)
            record = json.loads(out.with_name("out.wav.json").read_text(encoding="utf-8"))
    except ProbeError as error:
        return report.missing(PART, f"{PART}.wall", name, str(error))
    said = f"{record['duration']:.2f} s of speech"
    note = f"{min(walls):.3g} to {max(walls):.3g}; {said}"
    most = None if settings.quick else MOST_SECONDS
    report.add(Row(PART, f"{PART}.wall", name, median(walls), "s", note, most=most, rounds=tuple(walls)))
    note = f"{min(cpus):.3g} to {max(cpus):.3g}; of all threads"
    report.add(Row(PART, f"{PART}.cpu", "the same, the processor's time", median(cpus), "s", note, rounds=tuple(cpus)))
    for stage, title in STAGES.items():
        taken = tuple(each["wall"].get(stage, 0.0) for each in profiles)
        used = median(each["cpu"].get(stage, 0.0) for each in profiles)
        note = "" if used == 0 else f"{used:.3g} s of the processor"
        key = f"{PART}.{stage.replace(' ', '_')}"
        report.add(Row(PART, key, f"of this: {title}", median(taken), "s", note, rounds=taken))


def profile(text: str, began: float) -> dict[str, dict[str, float]]:
    """Seconds of each stage in this process, which was started at `began` (`time.time()`): by the clock, and the
    processor's, where they can be told apart."""
    wall, cpu = {"python": time.time() - began}, {"python": time.process_time()}
    at = [time.time(), time.process_time()]

    def lap(stage: str) -> None:
        now = [time.time(), time.process_time()]
        wall[stage], cpu[stage] = now[0] - at[0], now[1] - at[1]
        at[:] = now

    assert "torch" not in sys.modules, "the profile begins too late"
    import_module("torch")
    lap("torch")
    for name in IMPORTED:
        import_module(name)
    from vall_e_core import VallE

    lap("other imports")
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        engine = VallE.load()
        lap("load")
        speech = engine.synthesize(text, voice=VOICE, seed=1)
        lap("speak")
        speech.save(Path(folder) / "out.wav")
        lap("write")
    stages = {key: value for key, value in speech.record["timings"].items() if key not in ("load", "total")}
    rest = max(0.0, wall.pop("speak") - sum(stages.values()))
    cpu["level 0, further levels and codec"] = cpu.pop("speak")
    return {"wall": {**wall, **stages, "other": rest}, "cpu": cpu}
