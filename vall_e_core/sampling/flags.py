"""Plain task flags (`--top-p 0.9`) to a chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import UsageError
from ..kinds import Sampler

_TEMPERATURES = 120
"""The canonical place of the temperatures, whose flags may accompany an explicit chain."""


def chain_from_flags(
    known: Iterable[type[Sampler]],
    flags: Mapping[str, object],
    stage: str,
    defaults: Mapping[str, object] | None = None,
    explicit: Sequence[Sampler] | None = None,
) -> list[Sampler]:
    """The samplers that plain flags ask for, in canonical order, the selector last.

    Args:
        known: every sampler there is.
        flags: the flags that were given, without dashes in front (`top-p`); None values count as not given.
        defaults: values of flags that apply when they aren't given and there is no explicit chain (`ar-temp`).
        explicit: the user's own chain (`--sampler`). It replaces the default one and keeps its order; of the plain
            flags it takes only the temperatures', which go just before the selector, if it has no temperature.

    Raises:
        UsageError: a plain flag beside an explicit chain, with the spelling to use instead.
        ComponentError: a value out of range.
    """
    classes = sorted(known, key=lambda each: (each.order, each.name))
    given = {key: value for key, value in flags.items() if value is not None}
    if explicit:
        return _completed(list(explicit), classes, given, stage)
    values = {**{key: value for key, value in (defaults or {}).items() if value is not None}, **given}
    found = _made(classes, values, stage)
    if any(each.harmed_by_filters for each in found):  # by those that a default brings: nobody asked for them
        asked = {each.name for each in _made(classes, given, stage)}
        found = [each for each in found if each.name in asked or not each.filters()]
    return _with_selector(found, classes)


def _made(classes: Iterable[type[Sampler]], values: Mapping[str, object], stage: str) -> list[Sampler]:
    """What the flags switch on in a stage."""
    return [made for each in classes if stage in each.stages for made in [each.from_flags(values, stage)] if made]


def _with_selector(found: list[Sampler], classes: Sequence[type[Sampler]]) -> list[Sampler]:
    if any(each.role == "selector" for each in found):
        return found
    default = [each() for each in classes if each.name == "multinomial"]
    end = len(found)
    while end > 0 and found[end - 1].role == "search":
        end -= 1
    return found[:end] + default + found[end:]


def _completed(
    chain: list[Sampler], classes: Sequence[type[Sampler]], given: Mapping[str, object], stage: str
) -> list[Sampler]:
    """The explicit chain with the temperature that its flags ask for."""
    ends = next((place for place, each in enumerate(chain) if each.role != "transform"), len(chain))
    for each in classes:
        made = each.from_flags(given, stage) if stage in each.stages else None
        if made is None:
            continue
        tempers = each.order == _TEMPERATURES or "deterministic" in each.invariances
        names = [flag for flag in flag_names(each, stage) if flag in given]
        if not names:  # a selector that temperature 0 asks for
            heated = [flag for one in classes if one.order == _TEMPERATURES for flag in flag_names(one, stage)]
            names = [flag for flag in dict.fromkeys(heated) if flag in given]
        if not tempers:
            _refuse(made, names, "any --sampler replaces the chain that plain flags make")
        if made.role == "selector":
            if any(one.role == "selector" for one in chain):
                _refuse(made, names, "the chain already has a selector")
            chain.insert(ends, made)
            ends += 1
        elif any(one.order == _TEMPERATURES for one in chain):
            _refuse(made, names, "the chain already sets a temperature")
        else:
            chain.insert(ends, made)
            ends += 1
    return _with_selector(chain, classes)


def _refuse(made: Sampler, names: Sequence[str], cause: str) -> None:
    flags = ", ".join(f"--{name}" for name in names)
    spelling = f"--sampler {made.to_spec()} in its place"
    raise UsageError(f"{flags} can't accompany --sampler", cause=cause, try_=spelling)


def flag_names(sampler: type[Sampler], stage: str) -> list[str]:
    """The plain flags (without dashes in front) that set a sampler's parameters in a stage."""
    side = sampler.flag_stage(stage)
    return [flag.key for parameter in sampler.params() for flag in parameter.flags if flag.stage == side]
