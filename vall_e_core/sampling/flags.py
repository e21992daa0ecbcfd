"""Plain task flags (`--top-p 0.9`) to a chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import UsageError
from ..kinds import Sampler
from .places import canonical


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
    classes = canonical(known)
    given = {key: value for key, value in flags.items() if value is not None}
    if explicit:
        return _completed(list(explicit), classes, given, stage)
    values = {**{key: value for key, value in (defaults or {}).items() if value is not None}, **given}
    asked = _made(classes, given, stage)
    _one_selector(asked, classes, given, stage)
    return _with_selector(_yielding(_made(classes, values, stage), asked), classes)


def _made(classes: Iterable[type[Sampler]], values: Mapping[str, object], stage: str) -> list[Sampler]:
    """What the flags switch on in a stage."""
    return [made for each in classes if stage in each.stages for made in [each.from_flags(values, stage)] if made]


def _one_selector(
    asked: Sequence[Sampler], classes: Sequence[type[Sampler]], given: Mapping[str, object], stage: str
) -> None:
    """Raises UsageError where flags ask for two selectors, in the words of the flags."""
    selectors = [each for each in asked if each.role == "selector"]
    if len(selectors) < 2:
        return
    said = [
        " ".join(f"--{flag} {_short(given[flag])}" for flag in _flags_of(type(each), classes, given, stage))
        for each in selectors[:2]
    ]
    raise UsageError(
        f"{said[0]} can't be combined with {said[1]}",
        cause=f"the one asks for {selectors[0].name}, the other for {selectors[1].name}; a chain has one selector",
        try_="leave one out",
    )


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _yielding(found: Sequence[Sampler], asked: Sequence[Sampler]) -> list[Sampler]:
    """`found` without what defaults bring and what was asked for can't live with, or would be harmed by."""
    names = {each.name for each in asked}
    harmed = any(each.harmed_by_filters for each in found)
    chosen = any(each.role == "selector" for each in asked)
    return [
        each
        for each in found
        if each.name in names or not ((harmed and each.filters()) or (chosen and each.role == "selector"))
    ]


def _with_selector(found: list[Sampler], classes: Sequence[type[Sampler]]) -> list[Sampler]:
    if any(each.role == "selector" for each in found):
        return found
    default = [each() for each in classes if each.role == "selector" and each.default][:1]
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
            _check_idle(each, given, stage)
            continue
        tempers = each.sets_temperature or "deterministic" in each.invariances
        names = _flags_of(each, classes, given, stage)
        if not tempers:
            _refuse(made, names, "--sampler replaces the chain that plain flags build")
        if made.role == "selector" and any(one.role == "selector" and not one.is_neutral() for one in chain):
            _refuse(made, names, "the chain already has a selector")
        if made.role != "selector" and any(one.sets_temperature for one in chain):
            _refuse(made, names, "the chain already sets a temperature")
        chain.insert(ends, made)
        ends += 1
    return _with_selector(chain, classes)


def _check_idle(sampler: type[Sampler], given: Mapping[str, object], stage: str) -> None:
    """Raises UsageError for flags that leave a sampler off, though they say something: a chain would ignore them.

    A temperature's may be meant for another one.
    """
    declared = () if sampler.sets_temperature or stage not in sampler.stages else sampler.params()
    for each, flag in ((one, flag) for one in declared for flag in one.flags):
        if flag.stage == sampler.flag_stage(stage) and given.get(flag.key, each.neutral) != each.neutral:
            spec = f"{sampler.name}:{each.key}={_short(given[flag.key])}"
            raise UsageError(f"--{flag.key} does nothing beside --sampler", try_=f"--sampler {spec}")


def _flags_of(
    sampler: type[Sampler], classes: Iterable[type[Sampler]], given: Mapping[str, object], stage: str
) -> list[str]:
    """The given flags that switch a sampler on; for a selector without flags of its own those of the temperature."""
    names = flag_names(sampler, stage)
    if not names:
        names = [flag for one in classes if one.sets_temperature for flag in flag_names(one, stage)]
    return [flag for flag in dict.fromkeys(names) if flag in given]


def _refuse(made: Sampler, names: Sequence[str], cause: str) -> None:
    flags = ", ".join(f"--{name}" for name in names)
    spelling = f"--sampler {_spelled(made, names)} in its place"
    raise UsageError(f"{flags} can't be combined with --sampler", cause=cause, try_=spelling)


def _spelled(made: Sampler, names: Sequence[str]) -> str:
    """`top-p:0.9`: an equal instance as `--sampler` takes it; what the flags `names` said is in it, defaults too."""
    shown = [
        each
        for each in made.params()
        if getattr(made, each.name) != each.default or any(flag.key in names for flag in each.flags)
    ]
    texts = [each.type.format(getattr(made, each.name)) for each in shown]
    if len(shown) == 1 and shown[0].primary:
        return f"{made.name}:{texts[0]}"
    pairs = ",".join(f"{each.key}={text}" for each, text in zip(shown, texts, strict=True))
    return f"{made.name}:{pairs}" if pairs else made.name


def flag_names(sampler: type[Sampler], stage: str) -> list[str]:
    """The plain flags (without dashes in front) that set a sampler's parameters in a stage."""
    side = sampler.flag_stage(stage)
    return [flag.key for parameter in sampler.params() for flag in parameter.flags if flag.stage == side]
