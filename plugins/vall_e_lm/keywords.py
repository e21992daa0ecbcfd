"""Keywords of a call from Python: fields of its options, the samplers' plain flags, and chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from vall_e_core import Component, Sampler, UsageError, did_you_mean
from vall_e_core.run import Option, SamplerSpec, by_key, chain_options, flag_options
from vall_e_core.sampling.running import ChainRequest, chain_from_flags

if TYPE_CHECKING:
    from vall_e_core import Registry

Options = TypeVar("Options", bound=Component)


def with_fields(options: Options, settings: Mapping[str, object], call: str, known: Iterable[str] = ()) -> Options:
    """`options` with some fields replaced.

    Args:
        settings: values by field.
        call: the name of the function that was called, for the message.
        known: keywords beside the fields, for the did-you-mean.

    Raises:
        TypeError: for a keyword that is no field, as Python has it, with a did-you-mean.
    """
    fields = {each.name for each in options.params()}
    for name in settings:
        if name not in fields:
            raise unexpected(name, call, (*fields, *known))
    return replace(options, **settings)


def unexpected(name: str, call: str, known: Iterable[str]) -> TypeError:
    """The error for a keyword that there isn't."""
    near = did_you_mean(name, sorted(known))
    hint = f"; did you mean {near}?" if near is not None else ""
    return TypeError(f"{call}() got an unexpected keyword argument {name!r}{hint}")


def settle_keywords(
    options: Options,
    settings: Mapping[str, object],
    call: str,
    registry: Registry,
    chains: Mapping[str, Sequence[Sampler | str] | None],
) -> tuple[Options, dict[str, ChainRequest]]:
    """The options and the chains that the keywords of a call ask for.

    Args:
        options: what `settings` are added to.
        settings: fields of the options, plain flags (`top_p=0.9`), and `sampler`, `ar_sampler`, … as lists.
        call: the name of the function, for messages.
        registry: where samplers are found.
        chains: the chain that was given for each stage in a keyword of its own; the first is that of `sampler`.

    Raises:
        TypeError: for a keyword that there isn't, or two that name the same chain.
        UsageError: for an invalid value, or a flag that can't be combined with a chain.
    """
    stages = tuple(chains)
    fields = {each.name for each in options.params()}
    samplers = list(registry.samplers())
    table = by_key([*chain_options(stages), *flag_options(samplers, stages)])
    own = {name: value for name, value in settings.items() if name in fields}
    named: dict[str, list[object]] = {stage: list(given) for stage, given in chains.items() if given is not None}
    flags: dict[str, object] = {}
    for name in settings.keys() - own.keys():
        option = table.get(name.replace("_", "-"))
        if option is None:
            raise unexpected(name, call, (*fields, *(key.replace("-", "_") for key in table)))
        if option.role == "chain":
            stage = option.stage or stages[0]
            if stage in named:
                raise TypeError(f"{call}() was given the {stage.upper()} chain twice; {name} is one of the two")
            named[stage] = _listed(settings[name])
        elif settings[name] is not None:
            if option.key in flags:
                raise TypeError(f"{call}() was given {option.key.replace('-', '_')} twice, under two names")
            flags[option.key] = _checked(option, name, settings[name])
    found: dict[str, ChainRequest] = {}
    for stage in stages:
        beside = {key: value for key, value in flags.items() if table[key].steers(stage)}
        if stage in named:
            members = [_member(each, registry) for each in named[stage]]
            if beside:
                members = chain_from_flags(samplers, beside, stage, explicit=members)
            found[stage] = ChainRequest(tuple(members))
        elif beside:
            found[stage] = ChainRequest(None, beside)
    return replace(options, **own), found


def _listed(value: object) -> list[object]:
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return list(value) if several and isinstance(value, Sequence) else [value]


def _member(value: object, registry: Registry) -> Sampler:
    """A sampler as it is, or the one that a spec names."""
    if isinstance(value, Sampler):
        return value
    try:
        return SamplerSpec.parse(value, None).resolve(registry)
    except ValueError as error:
        raise UsageError(f"not a sampler: {value!r}", cause=str(error)) from error


def _checked(option: Option, name: str, value: object) -> object:
    try:
        return option.check(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error
