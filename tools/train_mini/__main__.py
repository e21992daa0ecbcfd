"""`python -m tools.train_mini STAGE RUN`: teacher, codec, vocoder, encode, model, export, report, and a few others."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from .config import load

STAGES = (
    "teacher", "start", "codec", "probe", "voiceprint", "vocoder", "encode", "model", "plot", "export", "voices",
    "report",
)  # fmt: skip


def main() -> None:
    """Run one stage of a run; each goes on from where it stopped."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_mini", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("run", type=Path, help="folder of the run; its config.yaml is optional")
    parser.add_argument(
        "--keep-out",
        type=Path,
        help="sentences that must not be trained on; those of vall-e eval if absent (teacher)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (training stages)")
    parser.add_argument("--out", type=Path, help="folder to write to (plot, export, report) or to read from (start)")
    parser.add_argument("--worker", type=int, default=0, help="number of this process, of --workers (teacher)")
    parser.add_argument("--workers", type=int, default=1, help="processes that write shards (teacher)")
    args = parser.parse_args()
    config = load(args.run)
    stage = import_module(f".{args.stage}", __package__)
    wanted = {
        "teacher": ("keep_out", "worker", "workers"),
        "encode": (),
        **dict.fromkeys(("start", "plot", "export", "voices", "report", "voiceprint"), ("out",)),
    }.get(args.stage, ("device",))
    extra = {name: getattr(args, name) for name in wanted}
    stage.run(config, args.run, **{k: v for k, v in extra.items() if v is not None})


if __name__ == "__main__":
    main()
