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

All samplers that are included, in their usual order. Each name links to its page: formula, source, parameters, and use
for speech. `vall-e samplers show NAME` prints the same page, also for samplers of other plugins, and
`vall-e schema sampler NAME` prints the parameters as JSON Schema. [Samplers for speech](choosing-samplers.md) says
which to use when.

- `--sampler NAME` uses the defaults. `NAME:VALUE` sets the parameter in bold. `NAME:k=v,…` sets any of them. A list is
  written `3+7`, a map `1024@-2.5+7@1`.
- A plain flag that isn't given leaves its sampler off; the AR temperature is the exception. Any `--sampler` replaces
  the default chain of its stage.
- A *transform* changes the logits, a *selector* chooses the token, and a *search* follows several sequences.
- The stages are `ar` (the autoregressive pass), `nar` (the further levels), `len` (the length that some models predict)
  and `stt` (transcription).

<!-- generated: sampler-pages -->

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
