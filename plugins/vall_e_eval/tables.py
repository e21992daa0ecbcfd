"""A report as a table for the terminal, and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .stats import DRAWS, SEED

if TYPE_CHECKING:
    from .report import Report

VERDICTS = {"aim": "aim reached", "met": "met", "missed": "MISSED"}
BAR = ("", "measured", "at least", "aim", "")


def text(report: Report) -> str:
    """For a terminal: every figure, and the rows of the bar that were measured."""
    blocks = [plain(head(report), lines(report))]
    rows = bar(report)
    if rows:
        blocks.append(plain(("the embedded voice's bar", *BAR[1:]), rows))
    blocks += [f"{each.title}\n{plain(each.head, each.rows)}" for each in report.tables]
    return "\n\n".join(blocks)


def markdown(report: Report) -> str:
    """A page: the same tables, the pictures, and what it was all made with."""
    settings, there = report.settings, report.environment
    model, seed = settings.get("model"), settings.get("options", {}).get("seed")
    made_by = [] if model is None else [f"model `{model['name']}` ({str(model['sha256'])[:12]})"]
    made_by += [f"codec `{settings['codec']}`", f"{settings['device']}, {there['threads']} threads"]
    made_by += [f"seed {seed}"] if seed is not None else []
    blocks = [
        f"# vall-e {report.command}",
        f"Of {len(report.items)} recordings: {', '.join(made_by)}.",
        markdown_table(("figure", *head(report)[1:]), lines(report)),
    ]
    rows = bar(report)
    if rows:
        blocks += ["## The embedded voice's bar", markdown_table(BAR, rows)]
    blocks += [f"## {each.title}\n\n{markdown_table(each.head, each.rows)}" for each in report.tables]
    blocks += [f"![{caption}]({name})\n\n*{caption}*" for name, caption in report.pictures]
    made = [
        f"- `{each['judge']}`: {', '.join(f'{name} {version}' for name, version in each['versions'].items())}"
        for each in report.judges
    ]
    made += [f"- {name} {version}" for name, version in there.get("versions", {}).items()]
    blocks += ["## Judges and versions", "\n".join(made)]
    blocks.append(
        f"Intervals hold 95 % of {DRAWS} bootstrap draws of whole sentences (seed {SEED}). "
        "`report.json` holds every number."
    )
    return "\n\n".join(blocks) + "\n"


def columns(report: Report) -> list[str]:
    """The groups that get a column of their own."""
    groups = report.groups()
    return groups if len(groups) > 1 or not report.total else []


def head(report: Report) -> list[str]:
    """The titles of the columns."""
    whole = ["mean", "95 %", "n"] if report.total else []
    return ["", *whole, *columns(report)]


def lines(report: Report) -> Iterable[list[str]]:
    """A line for each figure."""
    for key, row in report.means().items():
        figure = report.figures[key]
        cells = [shown(row[name].mean, figure.unit) if name in row else "" for name in columns(report)]
        if report.total:
            whole = row["all"]
            span = f"{shown(whole.low, figure.unit)} – {shown(whole.high, figure.unit)}"
            cells = [shown(whole.mean, figure.unit), span, str(whole.count), *cells]
        unit = f" [{figure.unit}]" if figure.unit not in ("", "%") else ""
        yield [f"{key}: {figure.title}{unit}", *cells]


def bar(report: Report) -> list[list[str]]:
    """A line for each row of the bar."""
    found = []
    for row in report.bar():
        figure = report.figures[row["figure"]]
        sign = "≥" if figure.better == "higher" else "≤"
        numbers = [f"{sign} {shown(row[key], figure.unit)}" for key in ("at_least", "aim")]
        found.append([row["title"], shown(row["mean"], figure.unit), *numbers, VERDICTS[row["verdict"]]])
    return found


def shown(value: float, unit: str) -> str:
    """`97.5 %`, or three digits behind the point."""
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.3f}"


def plain(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns with spaces between; the first leans left, the others right."""
    table = [list(titles), *map(list, rows)]
    widths = [max(len(line[at]) for line in table) for at in range(len(titles))]

    def written(line: Sequence[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        return "  ".join([line[0].ljust(widths[0]), *cells]).rstrip()

    return "\n".join(map(written, table))


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """As Markdown writes it."""
    table = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*table, *(f"| {' | '.join(row)} |" for row in rows)])
