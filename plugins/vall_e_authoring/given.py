"""Samplers as callers write them: components, names with parameters, or text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from vall_e_core import Sampler

if TYPE_CHECKING:
    from vall_e_core import Registry

SamplerLike = Sampler | tuple[str, Mapping[str, object]] | str
"""A component, a (name, parameters) pair, or text as `--sampler` takes it."""


@lru_cache(maxsize=1)
def installed() -> Registry:
    """What is installed."""
    from vall_e_core import Registry

    return Registry.load()


def installed_samplers() -> tuple[type[Sampler], ...]:
    """Every sampler of every installed plugin."""
    return installed().samplers()


def as_sampler(given: SamplerLike) -> Sampler:
    """The component that is meant. Raises UsageError for an unknown name or parameter."""
    if isinstance(given, Sampler):
        return given
    if isinstance(given, str):
        name, _, text = given.partition(":")
        return installed().sampler(name).from_spec(text)
    name, values = given
    return installed().sampler(name).from_mapping(values)


def as_samplers(given: SamplerLike | Sequence[SamplerLike]) -> list[Sampler]:
    """One or several, in order. A pair of a name and its parameters is one."""
    if isinstance(given, (Sampler, str)):
        return [as_sampler(given)]
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        return [as_sampler((str(given[0]), given[1]))]
    return [as_sampler(each) for each in given]
