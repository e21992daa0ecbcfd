"""Writes the samplers' reference from their declarations: a page for each in docs/samplers/, and one that lists them.

python tools/sampler_docs.py > docs/samplers.md
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vall_e_authoring.sampler_page import page_of
from vall_e_core import Registry, Sampler
from vall_e_core.sampling.running import canonical

PAGES = Path(__file__).parents[1] / "docs" / "samplers"
HEAD = """# Samplers

The samplers that ship, in canonical order; each name leads to its page. `vall-e samplers show NAME` prints that page,
for those of other plugins too; `vall-e schema sampler NAME` prints the parameters as JSON Schema. All of it is made
from the samplers' declarations and notes by `tools/sampler_docs.py`.

`--sampler NAME` takes the defaults, `NAME:VALUE` sets the parameter in bold, `NAME:k=v,…` any of them; a list is
written `3+7`, a map `1024@-2.5+7@1`. A plain flag that isn't given leaves its sampler off, but for the AR
temperature; any `--sampler` replaces the stage's default chain. Stages: `ar` is the autoregressive pass, `nar` the
further levels, `len` the length that some models predict, `stt` transcription.

## Where to begin

- With nothing: without a sampler flag the checkpoint's own advice counts (the embedded voice's is top-p 0.9 at
  temperature 0.8).
- It stutters or gets stuck in a sound: `--sampler dry --sampler top-p:0.9`, or `--sampler ras` as VALL-E 2 does.
- It is cut short: `--length-penalty 0.5`, or `--sampler min-length:2`. It runs on: a length penalty below 0.
- It sounds noisy, or words go wrong: a lower `--ar-temp`, `--top-p 0.8`. It sounds flat or freezes: a higher one.
- Whatever the chain: `--candidates 4` makes several takes and keeps the best (`tracing.md`).

## All of them

| sampler | role | stages | plain flags | |
|---|---|---|---|---|
"""


def index(samplers: Sequence[type[Sampler]]) -> str:
    """The page that lists them."""
    rows = []
    for each in samplers:
        flags = " ".join(f"`{flag.name}`" for param in each.params() for flag in param.flags)
        name = f"[`{each.name}`](samplers/{each.name}.md)"
        stages = ", ".join(sorted(each.stages))
        rows.append(f"| {name} | {each.role} | {stages} | {flags} | {each.summary().replace('|', chr(92) + '|')} |")
    return HEAD + "\n".join(rows) + "\n"


def pages(samplers: Sequence[type[Sampler]]) -> Mapping[str, str]:
    """The page of each, by the name of its file."""
    return {f"{each.name}.md": page_of(each, samplers) for each in samplers}


def first_party() -> list[type[Sampler]]:
    """The samplers of this distribution, in canonical order."""
    found = Registry.load(environ={}, third_party=False).samplers()
    return canonical(found)


if __name__ == "__main__":
    ours = first_party()
    PAGES.mkdir(exist_ok=True)
    for path in PAGES.glob("*.md"):
        path.unlink()
    for name, text in pages(ours).items():
        (PAGES / name).write_text(text, "utf-8")
    sys.stdout.write(index(ours))
