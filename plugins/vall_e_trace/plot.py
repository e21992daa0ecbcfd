"""A picture of a trace that a person can read. Nothing but this module needs matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, ModelError

from .file import TraceLine, TraceLog
from .values import TracedStage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
MODEL, CHAIN = "#9a9a9a", "#1f5fa8"
"""Colours of what the model said and of what the chain made of it."""
SHADES = ("#e08a1e", "#4c9f70", "#9467bd", "#c44e52", "#17a2a8", "#8c6d31", "#d36ba6", "#6b7a8f")
LEAST_KL = 1e-3
"""What is shown as nothing, in bits."""
PASSES = {"ar": "AR pass", "nar": "NAR levels", "stt": "transcription"}


def require_matplotlib() -> None:
    """Raises ModelError where it isn't installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ModelError(
            "drawing needs matplotlib, which isn't installed", cause=str(error), try_='pip install "vall-e[plot]"'
        ) from error


def selected(
    log: TraceLog, *, stage: str | None = None, part: int = 0, level: int | None = None, candidate: int | None = None
) -> list[TraceLine]:
    """What one picture shows: one pass, part and level of one take, in order of time.

    Without a stage the AR pass or the transcription, if there is one; without a level the lowest; without a candidate
    the kept take, else its last try. Of demasking, the last round. Raises InputError where steps don't fit together.
    """
    mine = [each for each in log.lines if each.part == part]
    if stage is None:
        found = {each.step.stage for each in mine}
        stage = next((each for each in ("ar", "stt") if each in found), "nar")
    mine = [each for each in mine if each.step.stage == stage]
    mine = [each for each in mine if (each.kept if candidate is None else each.candidate == candidate)]
    lowest = min((each.step.level for each in mine), default=0) if level is None else level
    mine = [each for each in mine if each.step.level == lowest]
    last = max((each.attempt for each in mine), default=0)
    mine = [each for each in mine if each.attempt == last]
    if mine and mine[0].step.frame is not None:
        latest = max(each.step.step for each in mine)
        mine = [each for each in mine if each.step.step == latest]
    if len({tuple(one.name for one in each.step.stages) for each in mine}) > 1:
        raise InputError("the trace is damaged: the stages of its steps differ")
    return sorted(mine, key=_place)


def picture(log: TraceLog, lines: Sequence[TraceLine], format: str = "png") -> bytes:
    """A file of it: `png`, `svg` or `pdf`. `lines` are what `selected` gives, at least one."""
    with warnings.catch_warnings():
        # a text in a script that the font lacks, or values that have no place on an axis: the rest is drawn
        warnings.simplefilter("ignore", UserWarning)
        return _drawn(log, lines, format)


def _drawn(log: TraceLog, lines: Sequence[TraceLine], format: str) -> bytes:
    from matplotlib.figure import Figure

    stops = any(stage.p_stop is not None for each in lines for stage in each.step.stages)
    bites = _bites(lines)
    heights = [2.0, 2.4, *([1.6] if stops else []), 0.4 + 0.3 * len(bites)]
    figure = Figure(figsize=(11, sum(heights) + 1.6), layout="constrained")
    axes: list[Axes] = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    rate = 1.0 if lines[0].step.stage == "stt" else _frame_rate(log)  # its steps are phonemes, not frames
    places = [_place(each) / rate for each in lines]
    _entropy(axes[0], places, lines)
    _kept(axes[1], places, lines)
    if stops:
        _p_stop(axes[2], places, lines)
    _heat(figure, axes[-1], places, bites, 1 / rate)
    for each in axes[:-1]:
        each.grid(True, axis="y", color="#e4e4e4", linewidth=0.7)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
        each.legend(loc="upper left", bbox_to_anchor=(1.005, 1.02), frameon=False, fontsize=9, borderaxespad=0)
    unit = "step" if lines[0].step.frame is None else "frame"
    axes[-1].set_xlabel(f"seconds of speech ({rate:g} {unit}s a second)" if rate != 1 else unit)
    axes[0].set_xlim(places[0] - 0.5 / rate, places[-1] + 0.5 / rate)
    figure.suptitle(_title(log, lines), x=0.01, ha="left", fontsize=11, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=130)
    return buffer.getvalue()


def _place(line: TraceLine) -> int:
    return line.step.step if line.step.frame is None else line.step.frame


def _frame_rate(log: TraceLog) -> float:
    codec = log.head.get("codec")
    rate = codec.get("frame_rate") if isinstance(codec, dict) else None
    return float(rate) if isinstance(rate, (int, float)) and rate > 0 else 1.0


def _title(log: TraceLog, lines: Sequence[TraceLine]) -> str:
    one = lines[0]
    parts = log.head.get("parts")
    part = parts[one.part] if isinstance(parts, list) and one.part < len(parts) else {}
    text = str(part.get("text", part.get("phonemes", "")))
    shown = text if len(text) <= 90 else f"{text[:88]}…"
    where = PASSES.get(one.step.stage, one.step.stage)
    if one.step.frame is not None:
        where = f"{where}, level {one.step.level}"
    words = [where, f"part {one.part}", f"candidate {one.candidate}", f"seed {log.head.get('seed')}"]
    chain = log.head.get("chains")
    members = chain.get(one.step.stage) if isinstance(chain, dict) else None
    given = f"\n{'  →  '.join(map(str, members))}" if isinstance(members, list) else ""
    return f"“{shown}”\n{',  '.join(words)}{given}"


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if each is None else each for each in values]


def _ends(line: TraceLine) -> tuple[TracedStage, TracedStage]:
    return line.step.stages[0], line.step.stages[-1]


def _entropy(axes: Axes, places: Sequence[float], lines: Sequence[TraceLine]) -> None:
    model = _numbers([_ends(each)[0].entropy for each in lines])
    chain = _numbers([_ends(each)[1].entropy for each in lines])
    axes.plot(places, model, color=MODEL, linewidth=1.2, label="model")
    axes.plot(places, chain, color=CHAIN, linewidth=1.4, label="after the chain")
    axes.fill_between(places, model, chain, color=CHAIN, alpha=0.1, linewidth=0)
    axes.set_ylabel("entropy\n(bits)")
    axes.set_ylim(bottom=0)


def _kept(axes: Axes, places: Sequence[float], lines: Sequence[TraceLine]) -> None:
    """Tokens left behind each stage that ever removes one, and where the choice stood in the model's own order."""
    removing = [
        (number, name, after)
        for number, name, before, after in _changes(lines)
        if any(left > right for left, right in zip(before, after, strict=True))
    ]
    for number, name, after in removing:
        shade = SHADES[(number - 1) % len(SHADES)]
        axes.step(places, after, where="mid", color=shade, linewidth=1.3, label=f"kept by {name}")
    if not removing:
        axes.step(places, [_ends(each)[1].kept for each in lines], where="mid", color=CHAIN, label="kept")
    ranks = [(at, _ends(each)[0].rank) for at, each in zip(places, lines, strict=True)]
    axes.plot(
        [at for at, rank in ranks if rank is not None], [rank for _, rank in ranks if rank is not None],
        linestyle="none", marker="o", markersize=3.2, color="#222222", label="rank of the choice,\nby the model",
    )  # fmt: skip
    shown = [rank or 1 for _, rank in ranks] + [_ends(each)[1].kept for each in lines]
    axes.set_yscale("log")
    axes.set_ylim(0.8, 2.0 * max(2, *shown))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_ylabel("tokens")


def _changes(lines: Sequence[TraceLine]) -> list[tuple[int, str, list[int], list[int]]]:
    """For each stage behind the first: number, name, and how many tokens were kept before and after it."""
    names = [each.name for each in lines[0].step.stages]
    kept = [[each.step.stages[at].kept for each in lines] for at in range(len(names))]
    return [(at, names[at], kept[at - 1], kept[at]) for at in range(1, len(names))]


def _p_stop(axes: Axes, places: Sequence[float], lines: Sequence[TraceLine]) -> None:
    floor = 1e-8
    for label, colour, at in (("model", MODEL, 0), ("after the chain", CHAIN, -1)):
        values = _numbers([each.step.stages[at].p_stop for each in lines])
        axes.plot(places, [max(value, floor) for value in values], color=colour, linewidth=1.3, label=label)
    axes.set_yscale("log")
    axes.set_ylim(floor / 2, 2)
    axes.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
    axes.set_ylabel("p(stop)")


def _bites(lines: Sequence[TraceLine]) -> list[tuple[str, list[float]]]:
    """How far each stage moved the distribution at each step; the core's own and the selector where they ever did."""
    stages = lines[0].step.stages
    found = []
    for at in range(1, len(stages)):
        values = _numbers([each.step.stages[at].kl for each in lines])
        own = at >= len(stages) - 2
        if not own or any(value != 0 for value in values):
            found.append((stages[at].name, values))
    return found or [(stages[-1].name, [0.0] * len(lines))]


def _heat(
    figure: Figure, axes: Axes, places: Sequence[float], bites: Sequence[tuple[str, Sequence[float]]], width: float
) -> None:
    """A row for each stage, dark where it bit."""
    import numpy as np
    from matplotlib.colors import LogNorm

    values = np.ma.masked_invalid(np.array([row for _, row in bites], dtype=np.float64))
    most = float(values.max()) if values.count() else 0.0
    edges = [places[0] - width / 2, *(at + width / 2 for at in places)]
    mesh = axes.pcolormesh(
        edges, range(len(bites) + 1), values.clip(LEAST_KL * 0.99, None), cmap=_colours(),
        norm=LogNorm(LEAST_KL, max(most, 10 * LEAST_KL)),
    )  # fmt: skip
    axes.invert_yaxis()
    axes.set_yticks([at + 0.5 for at in range(len(bites))], [name for name, _ in bites])
    axes.set_yticks(range(1, len(bites)), minor=True)
    axes.grid(True, axis="y", which="minor", color="#ffffff", linewidth=2)
    axes.tick_params(axis="y", which="both", length=0)
    back = "; gray where tokens came back" if values.count() < values.size else ""
    axes.set_title(f"effect of each stage: KL to the stage before it, in bits{back}", fontsize=9.5, loc="left")
    bar = figure.colorbar(mesh, cax=axes.inset_axes((1.01, 0.0, 0.012, 1.0)))
    bar.ax.tick_params(labelsize=8)


def _colours() -> Any:  # noqa: ANN401 - matplotlib's own type
    from matplotlib import colormaps

    return colormaps["YlOrRd"].with_extremes(under="#f6f6f6", bad="#a0a0a0")
