"""Writes docs/samplers.md from the samplers' declarations: `python tools/sampler_docs.py > docs/samplers.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable

from vall_e_core import MISSING, Param, Registry, Sampler

HEAD = """# Samplers

The samplers that ship, in canonical order, made from their declarations by `tools/sampler_docs.py`. `vall-e samplers
list` also shows those of other plugins, `vall-e schema sampler NAME` prints one as JSON Schema.

`--sampler NAME` takes the defaults below, `NAME:VALUE` sets the parameter in bold, `NAME:k=v,…` any of them. A plain
flag that isn't given leaves its sampler off, but for the AR temperature; any `--sampler` replaces the stage's default
chain. Stages: `ar` is the autoregressive pass, `nar` the further levels, `len` the length that some models predict,
`stt` transcription.
"""


def page(samplers: Iterable[type[Sampler]]) -> str:
    """The whole page."""
    ordered = sorted(samplers, key=lambda each: (each.order, each.name))
    return "\n".join([HEAD, *map(section, ordered)]).rstrip() + "\n"


def section(sampler: type[Sampler]) -> str:
    """One sampler: what its docstring says, then its parameters."""
    facts = [sampler.role, f"order {sampler.order}", ", ".join(sorted(sampler.stages))]
    if sampler.experimental:
        facts.append("experimental")
    lines = [f"## {sampler.name}", "", f"*{'; '.join(facts)}*", "", inspect.cleandoc(sampler.__doc__ or ""), ""]
    lines += [f"Not in `{stage}`: {reason}." for stage, reason in sorted(sampler.stage_reasons.items())]
    lines += [""] if sampler.stage_reasons else []
    if sampler.params():
        lines += ["| parameter | default | range | off at | plain flags | |", "|---|---|---|---|---|---|"]
        lines += [row(each) for each in sampler.params()] + [""]
    return "\n".join(lines)


def row(param: Param) -> str:
    """One parameter as a row of the table."""
    name = f"**{param.key}**" if param.primary else param.key
    default = "required" if param.required else f"`{param.type.format(param.default)}`"
    neutral = "" if param.neutral is MISSING else f"`{param.type.format(param.neutral)}`"
    flags = ", ".join(f"`{spelling}`" for flag in param.flags for spelling in (flag.name, *flag.aliases))
    text = param.describe().replace("|", "\\|")
    return f"| {name} | {default} | {limits(param)} | {neutral} | {flags} | {text} |"


def limits(param: Param) -> str:
    """The values allowed, in words."""
    if param.choices is not None:
        return ", ".join(map(str, param.choices))
    least = "" if param.min is None else f"{'>' if param.exclusive_min else '≥'} {param.min:g}"
    most = "" if param.max is None else f"≤ {param.max:g}"
    return ", ".join(filter(None, (least, most)))


def first_party() -> list[type[Sampler]]:
    """The samplers of this distribution."""
    return list(Registry.load(environ={}, third_party=False).samplers())


if __name__ == "__main__":
    sys.stdout.write(page(first_party()))
