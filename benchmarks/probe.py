"""What the memory figures ask of a fresh process: `python -m benchmarks.probe base|save|decode|tts|cold …`.

The last line it prints is a JSON object.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .settings import FULL, QUICK, Shape

Answer = Mapping[str, object]


STEPS = 8


def peak() -> int:
    """The highest use of memory of this process so far, in bytes.

    `ru_maxrss` begins, on Linux, at what the parent used when it started this process; the kernel's own high-water
    mark doesn't.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def own() -> int | None:
    """Memory that is this process's alone at the moment, in bytes: without files that are only mapped."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), None)


def base() -> Answer:
    """Imports alone."""
    from .contenders import make_chain

    make_chain(QUICK)
    return {"peak": peak(), "own": own()}


def save(path: Path, shape: Shape) -> Answer:
    """Write a random model."""
    from vall_e_lm import save_model

    from .contenders import make_model

    save_model(path, make_model(shape))
    return {"weights": path.stat().st_size}


def decode(path: Path, rows: int, shape: Shape) -> Answer:
    """Load the model and decode a little."""
    from vall_e_lm import Model, load_model

    from .contenders import Own

    model = load_model(path).model
    assert isinstance(model, Model)
    Own(model, shape).decode(rows, STEPS)
    cache = model.new_cache(rows, shape.context + STEPS)
    held = sum(each.numel() * each.element_size() for each in (cache.keys, cache.values))
    return {"peak": peak(), "own": own(), "weights": path.stat().st_size, "cache": held}


def tts(text: str) -> Answer:
    """`vall-e tts` with the embedded voice."""
    from vall_e_core.cli import main

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wav"
        with contextlib.redirect_stdout(io.StringIO()):
            code = main(["tts", text, "--voice", "heart", "--seed", "1", "-o", str(out)])
        if code != 0:
            raise SystemExit(code)
        record = json.loads(out.with_name("out.wav.json").read_text(encoding="utf-8"))
    folder_of_weights = Path(record["model"]["path"]).parent
    files = [each for each in folder_of_weights.iterdir() if each.suffix in (".sft", ".safetensors")]
    return {"peak": peak(), "own": own(), "weights": sum(each.stat().st_size for each in files)}


def answer(arguments: list[str]) -> Answer:
    """What the command line asks for."""
    shape = QUICK if "--quick" in arguments else FULL
    what, *rest = [each for each in arguments if each != "--quick"]
    if what == "base":
        return base()
    if what == "save":
        return save(Path(rest[0]), shape)
    if what == "decode":
        return decode(Path(rest[0]), int(rest[1]), shape)
    if what == "cold":
        from .cold import profile

        return profile(rest[0], float(rest[1]))
    return tts(rest[0])


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1:])))
