"""`vall-e samplers plot`: a picture of a trace."""

from __future__ import annotations

from pathlib import Path

import click

from vall_e_core import InputError, UsageError
from vall_e_core.cli import state_of


@click.command("plot")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="the picture to write (.png .svg .pdf)",
)
@click.option("-y", "--overwrite", is_flag=True, help="replace the picture if it exists")
@click.option(
    "--stage", type=click.Choice(["ar", "nar", "stt"]), help="the pass to show; default: ar or stt if there is one"
)
@click.option(
    "--part", type=click.IntRange(0), default=0, show_default=True, help="part of the text, or piece of audio, from 0"
)
@click.option("--level", type=click.IntRange(0), help="the level; default: the lowest of the pass")
@click.option("--candidate", type=click.IntRange(0), help="number of the candidate, from 0; default: the kept one")
@click.pass_context
def plot(
    ctx: click.Context,
    trace: Path,
    output: Path,
    overwrite: bool,
    stage: str | None,
    part: int,
    level: int | None,
    candidate: int | None,
) -> None:
    """Plot what the chain did: entropy, tokens kept, p(stop), and the effect of each stage.

    TRACE comes from `vall-e tts … --trace FILE`, or from `vall-e stt`. Needs matplotlib: pip install "vall-e[plot]".
    """
    from vall_e_files import check_file, write_atomic

    from .file import read_trace
    from .plot import FORMATS, PASSES, picture, require_matplotlib, selected

    suffix = output.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise UsageError(
            f"can't draw a {output.suffix or 'file without a suffix'}", try_=f"one of .{', .'.join(FORMATS)}"
        )
    check_file(output, overwrite=overwrite, inputs=[trace])
    require_matplotlib()
    log = read_trace(trace)
    lines = selected(log, stage=stage, part=part, level=level, candidate=candidate)
    if not lines:
        raise InputError("the trace has nothing for this selection", try_="another --stage, --part or --level")
    data = picture(log, lines, suffix)
    write_atomic(output, lambda file: file.write(data), overwrite=overwrite)
    state_of(ctx).console().notice(f"{output}: {len(lines)} choices, {PASSES.get(lines[0].step.stage, 'another pass')}")
