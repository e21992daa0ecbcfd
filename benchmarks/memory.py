"""Part `memory`: the highest use of memory, beside the size of the weights. Each figure is a process of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .process import ProbeError, probe
from .report import Report, Row
from .settings import Settings

PART = "memory"
MIB = 2**20
MOST = 1.3


def run(settings: Settings, report: Report) -> None:
    """What importing costs, a random model of the shape in a file, the embedded voice."""
    base = probe("base", threads=settings.threads)
    report.add(Row(PART, f"{PART}.base", "python with torch and the decoder imported", base["peak"] / MIB, "MiB"))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.sft")
        shape = ["--quick"] * settings.quick
        probe("save", path, *shape, threads=settings.threads)
        for batch in settings.batches:
            what = ("decode", path, str(batch), *shape)
            runs = settings.runs if batch == settings.batches[0] else 1
            _figure(settings, report, f"batch{batch}", f"load and decode, batch {batch}", base, what, runs)
    _figure(settings, report, "tts", "vall-e tts, embedded voice", base, ("tts", settings.text))


def _figure(
    settings: Settings, report: Report, key: str, name: str, base: dict[str, Any], what: Sequence[str], runs: int = 1
) -> None:
    """The peak; what of it is above the imports, in sizes of the weights."""
    try:
        answers = [probe(*what, threads=settings.threads) for _ in range(runs)]
    except ProbeError as error:
        return report.missing(PART, f"{PART}.{key}", name, str(error))
    answers.sort(key=lambda each: float(each["peak"]))
    answer = answers[len(answers) // 2]
    peak, weights = answer["peak"], answer["weights"]
    report.add(Row(PART, f"{PART}.{key}", f"{name}: peak", peak / MIB, "MiB", f"weights {weights / MIB:.0f} MiB"))
    report.add(Row(PART, f"{PART}.{key}.over_weights", f"{name}: peak / weights", peak / weights, "x"))
    above = max(0, peak - base["peak"]) / weights
    report.add(Row(PART, f"{PART}.{key}.above_base", f"{name}: (peak - imports) / weights", above, "x"))
    if "cache" in answer:
        ratios = tuple(max(0, each["peak"] - base["peak"]) / (weights + each["cache"]) for each in answers)
        note, most = f"cache {answer['cache'] / MIB:.0f} MiB", None if settings.quick else MOST
        title = f"{name}: (peak - imports) / (weights + cache)"
        middle = ratios[len(ratios) // 2]
        report.add(Row(PART, f"{PART}.{key}.over_needed", title, middle, "x", note, most=most, rounds=ratios))
    if answer["own"] is not None and base["own"] is not None:
        above = max(0, answer["own"] - base["own"]) / weights
        report.add(Row(PART, f"{PART}.{key}.own", f"{name}: the same at the end, own", above, "x"))
