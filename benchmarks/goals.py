"""What the project has set itself, held against the rows of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .report import Report, Row, Verdict
from .settings import Settings

OF_INT8_LIMIT = 0.6
"""The aim for int8: this share of what memory bandwidth allows in the same run."""
NEEDS_GPU = "needs a GPU: decode --dtype bfloat16 --batch 1 256 --tokens 512"


@dataclass(frozen=True)
class Goal:
    """One line of the table. `least` and `aim` are lower bounds, or upper ones where `upper`."""

    key: str
    name: str
    least: float | None
    aim: float | None
    unit: str
    upper: bool = False
    absolute: bool = False
    """Seconds or tokens a second: they hold for two cores of an idle machine, by the clock."""
    missing: str = "not part of this run"


GOALS = (
    Goal("decode.cpu.batch1.int8", "full size, batch 1, int8", 75, None, "tokens/s", absolute=True),
    Goal("decode.cpu.batch1.int4", "full size, batch 1, int4", None, 130, "tokens/s", absolute=True),
    Goal("decode.cpu.batch1.int8.over_transformers", "the same, int8 over transformers", 5, 8, "x"),
    Goal("decode.cpu.batch16.int8.over_batch1", "full size, batch 16 over batch 1, int8", 4, 8, "x"),
    Goal("cold.wall", "embedded voice, 3 s of speech, cold", 3.5, 2, "s", upper=True, absolute=True),
    Goal("pipeline.int8.rtf", "full size and EnCodec, 3 s of speech, int8", 1.6, 1, "x", upper=True, absolute=True),
    Goal("pipeline.int4.rtf", "the same, int4", 1.4, 1, "x", upper=True, absolute=True),
    Goal("pipeline.int8.load", "load of a converted full-size model, int8", 1, None, "s", upper=True, absolute=True),
    Goal("pipeline.int8.of_peak", "further levels over the 8-bit product, int8", 0.6, None, "x"),
    Goal("length.int8.mean_growth", "cost per token, 60 s over 1 s, int8", 1.5, 1.2, "x", upper=True),
    Goal("length.vall-e.mean_growth", "cost per token, 60 s over 1 s, float32", 1.5, 1.2, "x", upper=True),
    Goal("decode.cuda.batch1.captured", "H100, batch 1, captured, bfloat16", 1500, 3000, "tokens/s", missing=NEEDS_GPU),
    Goal("decode.cuda.batch256.captured", "H100, batch 256", 60000, 150000, "tokens/s", missing=NEEDS_GPU),
    Goal("memory.batch1.over_needed", "peak memory over weights + cache", 1.3, 1.1, "x", upper=True),
    Goal("guards.batch1", "looking at third-party samplers, batch 1", 2, None, "%", upper=True),
    Goal("guards.batch32", "the same, batch 32", 2, None, "%", upper=True),
    Goal("guards.listen", "--listen on over --listen off", 20, None, "%", upper=True),
    Goal("decode.cpu.auto", "--engine auto takes the measured best", 1, None, "x"),
)


def verdicts(settings: Settings, report: Report) -> list[Verdict]:
    """Every goal, measured or not."""
    return [_verdict(goal, settings, report) for goal in GOALS]


def _verdict(goal: Goal, settings: Settings, report: Report) -> Verdict:
    row, aim = report.find(goal.key), goal.aim
    limit = report.find("decode.cpu.batch1.int8.limit")
    if goal.key == "decode.cpu.batch1.int8" and limit is not None and limit.value is not None:
        aim = OF_INT8_LIMIT * limit.value
    sign = "" if goal.least is None else f"{'at most' if goal.upper else 'at least'} {goal.least:g}"
    shown = "" if aim is None else f"{aim:.4g}"
    if row is None or row.value is None:
        note = goal.missing if row is None else row.note
        return _made(goal, sign, shown, None, "not measured", note)
    if settings.quick:
        return _made(goal, sign, shown, row, "not measured", "a tiny shape, which shows that it works")
    if goal.absolute and (settings.clock != "wall" or settings.threads not in (None, 2)):
        return _made(goal, sign, shown, row, "not measured", "for two cores and by the clock; this run was otherwise")
    return _made(goal, sign, shown, row, _status(row.value, goal, aim), "")


def _status(value: float, goal: Goal, aim: float | None) -> str:
    reaches: Callable[[float], bool] = value.__le__ if goal.upper else value.__ge__
    if aim is not None and reaches(aim):
        return "aim reached"
    if goal.least is None:
        return "aim missed"
    return "kept" if reaches(goal.least) else "missed"


def _made(goal: Goal, sign: str, aim: str, row: Row | None, status: str, note: str) -> Verdict:
    rounds = () if row is None else row.rounds
    return Verdict(
        goal.key, goal.name, sign, aim, None if row is None else row.value, goal.unit,
        min(rounds, default=None), max(rounds, default=None), len(rounds), status, note,
    )  # fmt: skip
