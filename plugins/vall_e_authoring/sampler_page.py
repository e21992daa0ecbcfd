"""The reference page of a sampler: its declaration, its docstring and its own notes, as Markdown.

The notes are a section `## NAME` of the file `notes.md` in the package that declares the sampler.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from vall_e_core import MISSING, Param, Sampler
from vall_e_core.sampling.running import canonical, precedes

NOTES = "notes.md"
_STAGES = {
    "ar": "the AR pass", "nar": "the NAR levels", "len": "the length that some models predict", "stt": "transcription",
}  # fmt: skip
_INVARIANCES = {
    "argmax": "the most probable token stays the most probable",
    "shift": "a constant added to all logits changes nothing",
    "deterministic": "nothing is drawn",
    "compact": "it sees only the tokens that are left",
}


def page_of(sampler: type[Sampler], known: Iterable[type[Sampler]] = ()) -> str:
    """The whole page. `known` are the samplers among which its canonical place is told."""
    lines = [f"# {sampler.name}", "", inspect.cleandoc(sampler.__doc__ or ""), ""]
    notes = notes_of(sampler)
    lines += [notes, ""] if notes else []
    lines += ["## Parameters", "", *_parameters(sampler), ""]
    lines += ["## In a chain", "", *(f"- {each}" for each in facts(sampler, known)), ""]
    return "\n".join(lines).rstrip() + "\n"


def notes_of(sampler: type[Sampler]) -> str:
    """What its package's notes say of it, or nothing."""
    from importlib.resources import files

    package = sampler.__module__
    try:
        text = (files(package) / NOTES).read_text("utf-8")
    except (OSError, TypeError, ModuleNotFoundError):  # no such file; a module that isn't a package
        return ""
    found = re.search(rf"^## {re.escape(sampler.name)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def facts(sampler: type[Sampler], known: Iterable[type[Sampler]] = ()) -> list[str]:
    """What its declaration says about its use: role, place, stages, what it can't work beside, what it promises."""
    found = [f"Role: {sampler.role}{', experimental' if sampler.experimental else ''}."]
    found.append(f"Canonical place: {sampler.place}{_neighbours(sampler, known)}.")
    found.append(f"Works in: {', '.join(_STAGES.get(each, each) for each in sorted(sampler.stages))}.")
    found += [f"Not in {_STAGES.get(stage, stage)}: {why}." for stage, why in sorted(sampler.stage_reasons.items())]
    against = dict(sampler.conflicts)
    for other in known:
        if sampler.name in other.conflicts:
            against[other.name] = other.conflicts[sampler.name]
    found += [f"Can't be combined with `{other}`: {reason}." for other, reason in sorted(against.items())]
    if sampler.role != "transform":
        found.append(f"A chain has one {sampler.role}, after all transforms.")
    if sampler.harmed_by_filters:
        found.append(f"Warns after a filter: {sampler.harmed_by_filters}.")
    if sampler.needs:
        found.append(f"Needs, besides the logits: {', '.join(sorted(sampler.needs)).replace('_', ' ')}.")
    if sampler.bans:
        found.append("It may remove the stop token, because you ask for it.")
    elif sampler.filters():
        found.append("It removes tokens. The stop token is restored, and is never left alone.")
    elif sampler.role == "transform":
        found.append("It removes no token.")
    if sampler.waits:
        found.append("It may wait for the device.")
    kept = [_INVARIANCES.get(each, each) for each in sorted(sampler.invariances)]
    found += [f"Guaranteed by the contract suite: {'; '.join(kept)}."] if kept else []
    return found


def _neighbours(sampler: type[Sampler], known: Iterable[type[Sampler]]) -> str:
    ordered = canonical([sampler, *(each for each in known if each.name != sampler.name)])
    before = [each for each in ordered if precedes(each, sampler)]
    after = [each for each in ordered if precedes(sampler, each)]
    words = [f"after `{before[-1].name}`"] if before else []
    words += [f"before `{after[0].name}`"] if after else []
    return f", {' and '.join(words)}" if words else ""


def _parameters(sampler: type[Sampler]) -> list[str]:
    params = sampler.params()
    if not params:
        return ["None."]
    lines = ["| parameter | default | range | off at | meaning |", "|---|---|---|---|---|", *map(_row, params)]
    flags = [
        f"- `{'`, `'.join((flag.name, *flag.aliases))}`: {flag.help or param.help}"
        for param in params
        for flag in param.flags
    ]
    primary = next((each.key for each in params if each.primary), None)
    spelled = f"`--sampler {sampler.name}:VALUE` sets {primary}. " if primary else ""
    given = f"{spelled}Without a value `--sampler {sampler.name}` takes the defaults."
    if any(each.required for each in params):
        given = f"{spelled}A value is required."
    return [*lines, "", given, *(["", "Plain flags, off by default:", "", *flags] if flags else [])]


def _row(param: Param) -> str:
    """One parameter as a row of the table."""
    name = f"**{param.key}**" if param.primary else param.key
    default = "required" if param.required else _code(param.type.format(param.default))
    neutral = "" if param.neutral is MISSING else _code(param.type.format(param.neutral))
    text = param.describe().replace("|", "\\|")
    return f"| {name} | {default} | {limits(param)} | {neutral} | {text} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else "empty"


def limits(param: Param) -> str:
    """The values allowed, in words."""
    if param.choices is not None:
        return ", ".join(map(str, param.choices))
    least = "" if param.min is None else f"{'>' if param.exclusive_min else '≥'} {param.min:g}"
    most = "" if param.max is None else f"≤ {param.max:g}"
    return ", ".join(filter(None, (least, most)))
