"""`--vary top-p.p=0.7,0.8`: what is varied, and every setting that comes of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vall_e_core import Registry, Sampler, UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_lm import plan_chain

from .options import SpeechOptions

MOST = 1000
"""Settings in one sweep."""
_OWN = ("candidates", "scorer")
"""What all settings must share to be compared."""


@dataclass(frozen=True)
class Vary:
    """One `--vary`: a sampler's parameter, or an option (`sampler` is None), and its values."""

    key: str
    sampler: str | None
    name: str
    """The parameter's or the option's field."""
    values: tuple[Any, ...]
    shown: tuple[str, ...]
    """The values as they were written."""


@dataclass(frozen=True)
class Setting:
    """One combination: what was varied with its values as written, the chains and the options."""

    varied: Mapping[str, str]
    chains: Mapping[str, ChainRequest]
    options: SpeechOptions = field(repr=False)


def parse(written: str, registry: Registry) -> Vary:
    """Raises UsageError for what can't be varied, or a value that can't be."""
    key, equals, rest = written.partition("=")
    key = key.strip()
    values = tuple(each.strip() for each in rest.split(","))
    if not equals or not key or key.startswith(".") or "" in values:
        raise UsageError(f"--vary: expected NAME.PARAM=V,V,… found {written!r}", try_="--vary top-p.p=0.7,0.8,0.9")
    sampler, dot, parameter = key.rpartition(".")
    owner = registry.sampler(sampler) if dot else SpeechOptions
    found = owner.param(parameter)
    if found is None or (not dot and found.name in _OWN):
        known = [f"{sampler}{dot}{each.key}" for each in owner.params() if dot or each.name not in _OWN]
        raise UsageError(f"--vary: can't vary {key}", try_=f"one of {', '.join(known)}; or SAMPLER.PARAM")
    try:
        checked = tuple(found.check(each) for each in values)
    except ValueError as error:
        raise UsageError(f"--vary {key}: {error}") from error
    again = [shown for place, shown in enumerate(values) if checked[place] in checked[:place]]
    if again:
        raise UsageError(f"--vary {key}: {again[0]} is given twice")
    return Vary(key, sampler if dot else None, found.name, checked, values)


def settings(
    varies: Sequence[Vary],
    options: SpeechOptions,
    chains: Mapping[str, ChainRequest],
    known: Sequence[type[Sampler]],
    advice: Mapping[str, object],
) -> list[Setting]:
    """Every combination of the values, the last `--vary` changing fastest.

    A sampler's parameter changes in every chain that holds the sampler. Raises UsageError where none does.
    """
    keys = [each.key for each in varies]
    if len(set(keys)) < len(keys):
        raise UsageError("--vary names the same thing twice", try_="all its values in one --vary")
    if math.prod(len(each.values) for each in varies) > MOST:
        raise UsageError(f"more than {MOST} settings", try_="fewer values")
    members = {
        stage: tuple(each.sampler for each in plan_chain(known, stage, request, advice).members)
        for stage, request in chains.items()
    }
    for each in varies:
        if each.sampler is not None and not any(_holds(chain, each.sampler) for chain in members.values()):
            there = ", ".join(dict.fromkeys(one.name for chain in members.values() for one in chain))
            raise UsageError(
                f"--vary {each.key}: no chain holds {each.sampler}", cause=f"there are: {there}",
                try_=f"--sampler {each.sampler}",
            )  # fmt: skip
    return [
        _setting(list(zip(varies, places, strict=True)), options, chains, members)
        for places in itertools.product(*(range(len(each.values)) for each in varies))
    ]


def _holds(chain: Sequence[Sampler], name: str) -> bool:
    return any(each.name == name for each in chain)


def _setting(
    chosen: Sequence[tuple[Vary, int]],
    options: SpeechOptions,
    chains: Mapping[str, ChainRequest],
    members: Mapping[str, tuple[Sampler, ...]],
) -> Setting:
    changed = dict(chains)
    for vary, place in chosen:
        value = vary.values[place]
        if vary.sampler is None:
            options = replace(options, **{vary.name: value})
            continue
        for stage, chain in members.items():
            if _holds(chain, vary.sampler):
                explicit = changed[stage].explicit
                changed[stage] = ChainRequest(
                    tuple(
                        replace(each, **{vary.name: value}) if each.name == vary.sampler else each
                        for each in (chain if explicit is None else explicit)
                    )
                )
    return Setting({vary.key: vary.shown[place] for vary, place in chosen}, changed, options)
