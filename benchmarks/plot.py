"""The picture of a run, PNG by matplotlib: speed against its limit, many at once, longer and longer, a cold run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .cold import STAGES
from .report import Report
from .settings import CONTENDERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {
    "vall-e": "eager", "onnx": "onnx, float32", "int8": "int8", "int4": "int4", "transformers": "transformers",
    "llama-f32": "llama.cpp, f32", "llama-q8_0": "llama.cpp, q8_0", "llama-q4_0": "llama.cpp, q4_0",
}  # fmt: skip
COLOURS = {
    "vall-e": "tab:blue", "onnx": "tab:cyan", "int8": "tab:orange", "int4": "tab:green", "transformers": "tab:gray",
    "llama-f32": "tab:brown", "llama-q8_0": "tab:pink", "llama-q4_0": "tab:olive",
}  # fmt: skip
GOAL, AIM = 75.0, 130.0
"""Tokens a second of one row."""


def draw(report: Report, path: Path) -> None:
    """Write the picture to `path`; a panel without figures says so. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure

    rows = {row.key: row.value for row in report.rows if row.value is not None}
    figure = Figure(figsize=(13, 8), dpi=100, layout="constrained")
    panels = figure.subplots(2, 2)
    _speed(panels[0, 0], rows, {row.key: row.rounds for row in report.rows})
    _batches(panels[0, 1], rows)
    _lengths(panels[1, 0], rows)
    _cold(panels[1, 1], rows)
    machine = report.machine
    title = f"{machine['processor']}, {machine['threads']} threads, commit {machine['commit']}, load {machine['load']}"
    if report.settings.get("quick"):
        title = f"TINY SHAPE, MEANS NOTHING. {title}"
    figure.suptitle(title, fontsize=9)
    figure.savefig(path, format="png", metadata={"Software": None})


def _speed(axes: Axes, rows: Mapping[str, float], rounds: Mapping[str, tuple[float, ...]]) -> None:
    axes.set_title("Tokens a second, one row, against memory bandwidth's limit")
    shown = [each for each in CONTENDERS if f"decode.cpu.batch1.{each}" in rows]
    if not shown:
        return _nothing(axes)
    for place, each in enumerate(shown):
        value, spread = rows[f"decode.cpu.batch1.{each}"], rounds[f"decode.cpu.batch1.{each}"]
        error = [[max(0.0, value - min(spread))], [max(0.0, max(spread) - value)]]
        axes.bar(place, value, 0.6, yerr=error, color=COLOURS[each], capsize=4)
        limit = rows.get(f"decode.cpu.batch1.{'' if each == 'vall-e' else each + '.'}limit")
        if limit is not None:
            axes.plot([place - 0.35, place + 0.35], [limit, limit], "k-", label="limit" if place == 0 else None)
    axes.axhline(GOAL, linestyle="--", color="tab:red", linewidth=1, label="goal, int8: 75")
    axes.axhline(AIM, linestyle=":", color="tab:red", linewidth=1, label="aim, int4: 130")
    axes.set_xticks(range(len(shown)), [NAMES[each].replace(", ", "\n") for each in shown], fontsize=8)
    axes.set_ylabel("tokens/s")
    axes.legend(fontsize=8)


def _batches(axes: Axes, rows: Mapping[str, float]) -> None:
    axes.set_title("Many at once: tokens a second over those of one row")
    found = False
    for each in CONTENDERS:
        points = [(1, 1.0)] if f"decode.cpu.batch1.{each}" in rows else []
        for key, value in rows.items():
            batch = key.removeprefix("decode.cpu.batch").partition(".")[0]
            if batch.isdigit() and key == f"decode.cpu.batch{batch}.{each}.over_batch1":
                points.append((int(batch), value))
        if len(points) > 1:
            found = True
            axes.plot(*zip(*sorted(points), strict=True), "o-", color=COLOURS[each], label=NAMES[each])
    if not found:
        return _nothing(axes)
    axes.plot([16], [4], "v", color="tab:red", label="goal, int8")
    axes.plot([16], [8], "^", color="tab:red", label="aim, int8")
    axes.set_xlabel("rows")
    axes.set_ylabel("x")
    axes.legend(fontsize=8)


def _lengths(axes: Axes, rows: Mapping[str, float]) -> None:
    axes.set_title("A step as the speech grows longer, over one at its beginning")
    found = False
    for each in CONTENDERS:
        points = []
        for key, value in rows.items():
            at = key.removeprefix(f"length.{each}.").removesuffix("s")
            if key == f"length.{each}.{at}s" and at.replace(".", "").isdigit():
                points.append((float(at), value))
        if points:
            found = True
            points.sort()
            axes.plot(
                [at for at, _ in points], [value / points[0][1] for _, value in points], "o-", color=COLOURS[each],
                label=NAMES[each],
            )  # fmt: skip
    if not found:
        return _nothing(axes)
    axes.set_xlabel("seconds of speech")
    axes.set_ylabel("x")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _cold(axes: Axes, rows: Mapping[str, float]) -> None:
    axes.set_title("vall-e tts from cold, 3 s of speech: where the time goes")
    spent = [(title, rows.get(f"cold.{stage.replace(' ', '_')}")) for stage, title in STAGES.items()]
    known = [(title, value) for title, value in spent if value is not None]
    if not known:
        return _nothing(axes)
    axes.barh([title for title, _ in known], [value for _, value in known], color="tab:blue")
    axes.invert_yaxis()
    axes.set_xlabel("seconds")


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not part of this run", ha="center", va="center", transform=axes.transAxes)
