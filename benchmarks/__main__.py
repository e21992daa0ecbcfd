"""The one command: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .goals import verdicts
from .report import Report
from .settings import CONTENDERS, Settings

LEAST_CONTEXT = 16

PARTS = (
    "startup", "cold", "memory", "voice", "speakers", "pipeline", "serve", "batch", "samplers", "guards", "length",
    "decode", "quality",
)  # fmt: skip
"""In the order they are run: first what wants nothing else to be in memory."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m benchmarks", description="Speed and memory, as ratios within one run.")
    made.add_argument("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; all if absent")
    made.add_argument("--threads", type=int, help="CPU threads of both sides; torch's own choice if absent")
    made.add_argument("--runs", type=int, help="rounds after the warm-up")
    made.add_argument("--tokens", type=int, help="new tokens of each row")
    made.add_argument("--batch", type=int, nargs="+", help="batch sizes")
    made.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32", help="of both sides")
    made.add_argument(
        "--clock", choices=("wall", "process"), default="wall",
        help="of `decode`, `length`, `guards`; process: the processor's own time, for one thread on a busy machine",
    )  # fmt: skip
    made.add_argument("--context", type=int, help="`decode`: tokens before the response; fewer make a quicker prefill")
    made.add_argument(
        "--contender", action="append", choices=CONTENDERS, dest="contenders",
        help="`decode`, `length`: who takes part, repeatable; all if absent. The project's own always does",
    )  # fmt: skip
    made.add_argument("--piper", metavar="VOICE.onnx", help="`speakers`: a voice for piper to speak with")
    made.add_argument("--kokoro", metavar="FOLDER", help="`speakers`: model and voices of Kokoro-82M")
    made.add_argument("--quick", action="store_true", help="a tiny shape: shows that it works, measures nothing")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all rows to FILE")
    made.add_argument("--plot", type=Path, metavar="FILE", help="draw them into FILE, a PNG; needs matplotlib")
    return made


def settings_of(given: argparse.Namespace) -> Settings:
    """The settings that the flags mean."""
    made = replace(Settings.small() if given.quick else Settings(), threads=given.threads)
    made = replace(made, dtype=given.dtype, clock=given.clock, piper=given.piper, kokoro=given.kokoro)
    if given.context is not None:
        made = replace(made, shape=replace(made.shape, context=given.context))
    if given.contenders is not None:
        taking_part = {CONTENDERS[0], *given.contenders}
        made = replace(made, contenders=tuple(each for each in CONTENDERS if each in taking_part))
    changes = {"runs": given.runs, "tokens": given.tokens, "batches": tuple(given.batch) if given.batch else None}
    return replace(made, **{key: value for key, value in changes.items() if value is not None})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    flags = parser()
    given = flags.parse_args(argv)
    unknown = [part for part in given.parts if part not in PARTS]
    if unknown:
        flags.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    if min(given.threads or 1, given.runs or 1, *(given.batch or [1])) < 1 or (given.tokens or 2) < 2:
        flags.error("threads, runs and batch sizes are at least 1, tokens at least 2")
    if (given.context or LEAST_CONTEXT) < LEAST_CONTEXT:
        flags.error(f"the context is at least {LEAST_CONTEXT} tokens")
    if given.clock == "process" and given.threads != 1:
        flags.error("--clock process counts the time of all threads together: it wants --threads 1")
    if given.plot is not None and find_spec("matplotlib") is None:
        flags.error("--plot needs matplotlib: pip install matplotlib")
    prepare(given.threads)
    from .machine import describe, load, now  # imports torch

    settings = settings_of(given)
    command = shlex.join(["python", "-m", __package__ or "benchmarks", *(sys.argv[1:] if argv is None else argv)])
    machine = {**describe(), "command": command}
    report = Report(machine, asdict(settings), show=lambda line: print(line, flush=True))
    report.open()
    for part in PARTS:
        if part in given.parts or not given.parts:
            import_module(f"{__package__}.{part if part != 'decode' else 'decoding'}").run(settings, report)
    machine |= {"ended": now(), "load at the end": load()}
    print(f"ended {machine['ended']}, load {machine['load at the end']}")
    report.judge(verdicts(settings, report))
    if given.plot is not None:
        from .plot import draw

        draw(report, given.plot)
    if given.json is not None:
        report.write(given.json)
    return 0


def prepare(threads: int | None) -> None:
    """The number of threads; and what `vall-e` sets before torch is imported, unless the user chose."""
    from vall_e_lm import set_library_defaults

    set_library_defaults()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        import torch

        torch.set_num_threads(threads)


if __name__ == "__main__":
    sys.exit(main())
