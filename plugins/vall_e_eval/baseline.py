"""A report held against an earlier one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vall_e_core import InputError, RegressionError, UsageError
from vall_e_files import read_whole

from .report import NOT_COMPARED
from .running import FORMAT
from .tables import shown


def parse_share(text: str) -> float:
    """`5%` or `0.05`. Raises UsageError."""
    word = text.strip()
    try:
        value = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"--max-regress: not a fraction or a percentage: {text!r}", try_="5% or 0.05")
    return value


MOST_BYTES = 1 << 28
"""Of a report."""


def read_report(path: Path, command: str) -> dict[str, Any]:
    """An earlier report of the same command. Raises InputError."""
    data = read_whole(path, "the baseline", MOST_BYTES)
    try:
        found = json.loads(data)
    except ValueError as error:
        raise InputError(f"the baseline isn't a report: {path}", cause=f"it isn't JSON ({error})") from error
    if not isinstance(found, dict) or not isinstance(found.get("figures"), dict) or found.get("format") != FORMAT:
        raise InputError(f"the baseline isn't a report: {path}", try_="the report.json of an earlier run")
    if found.get("command") != command:
        raise InputError(f"the baseline is of another evaluation: {found.get('command')}", try_=f"one of {command}")
    return found


def regressions(old: Mapping[str, Any], new: Mapping[str, Any], allowed: float) -> list[str]:
    """A line for each figure that is worse than the baseline's by more than `allowed` of it.

    A share that ought to be low is compared by its complement (cut endings by those that aren't cut), so that one more
    among a hundred isn't infinitely worse than none. Figures that have no better side, and speed, aren't compared.
    """
    found = []
    for key, figure in new["figures"].items():
        before = old["figures"].get(key, {}).get("means", {})
        if figure["better"] == "neither" or key in NOT_COMPARED:
            continue
        names = ["all"] if "all" in figure["means"] else list(figure["means"])
        for name in names:
            if name not in before or name not in figure["means"]:
                continue
            was, now = float(before[name]["mean"]), float(figure["means"][name]["mean"])
            if figure["better"] == "lower" and figure["unit"] == "%":
                worse = (1 - now) < (1 - was) * (1 - allowed)
            elif figure["better"] == "lower":
                worse = now > was + allowed * abs(was)
            else:
                worse = now < was - allowed * abs(was)
            if worse:
                unit = figure["unit"]
                where = "" if name == "all" else f" ({name})"
                found.append(f"{key}{where}: {shown(now, unit)}, the baseline has {shown(was, unit)}")
    return found


def hold_against(old: Mapping[str, Any], new: Mapping[str, Any], allowed: float) -> None:
    """Raises RegressionError where a figure is worse than it may be."""
    worse = regressions(old, new, allowed)
    if worse:
        raise RegressionError(
            f"{len(worse)} figures are worse than the baseline by more than {allowed:.0%}", cause="; ".join(worse)
        )
