"""The logs of a run as one picture: every figure over the training time of its stage."""

from __future__ import annotations

import json
from pathlib import Path

from .config import Config

STAGES = ("codec", "vocoder", "model")


def curves(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """(minutes, values) of each figure of a log; lines cut short by a kill are left out."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for line in path.read_text("utf-8").splitlines():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        for name, value in values.items():
            if name not in ("step", "seconds", "tokens"):
                minutes, numbers = found.setdefault(name, ([], []))
                minutes.append(values["seconds"] / 60)
                numbers.append(value)
    return found


def run(config: Config, run_dir: Path, out: Path | None = None) -> None:
    """Draw the logs that there are into `training.png` (in `out`, or in the run)."""
    from matplotlib.figure import Figure

    panels = [
        (stage, name, figure)
        for stage in STAGES
        if (path := run_dir / f"{stage}.jsonl").is_file()
        for name, figure in sorted(curves(path).items())
    ]
    if not panels:
        raise FileNotFoundError(f"{run_dir} holds no log yet; run a training stage first")
    columns = 4
    rows = -(-len(panels) // columns)
    picture = Figure(figsize=(3.4 * columns, 2.3 * rows), layout="constrained")
    for n, (stage, name, (minutes, values)) in enumerate(panels):
        axes = picture.add_subplot(rows, columns, n + 1)
        axes.plot(minutes, values, linewidth=1.0)
        axes.set_title(f"{stage}: {name.replace('_', ' ')}", fontsize=9)
        axes.set_xlabel("minutes", fontsize=8)
        axes.tick_params(labelsize=7)
    target = (run_dir if out is None else out) / "training.png"
    partial = target.with_suffix(".partial.png")
    picture.savefig(partial, dpi=100)
    partial.replace(target)
    print(f"{target}: {len(panels)} figures", flush=True)
