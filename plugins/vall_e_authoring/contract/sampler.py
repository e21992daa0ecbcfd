"""The contract that every sampler keeps, as checks that return sentences about what is broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from vall_e_core import BuildContext, Sampler, UsageError, VallEError
from vall_e_core.sampling.running import compile_chain

from .declared import declaration
from .probes import Probe, instances, probes
from .search import check_search
from .selectors import check_selector
from .transforms import check_transform


def check_sampler(sampler: type[Sampler]) -> list[str]:
    """What a sampler's class does that it mustn't: one sentence for each rule broken, empty where all is well.

    Its default instance is tried, and others with one parameter changed at a time; a class attribute `examples`
    (a sequence of mappings) adds more. No device but the CPU (and CUDA, where there is one) is needed.
    """
    found: dict[str, str] = {}
    for label, problem in _problems(sampler):
        rule = problem.partition(" (")[0]  # what stands in brackets is where it was seen
        found.setdefault(rule, f"{label}: {problem}" if label else problem)
    return list(found.values())


def _problems(sampler: type[Sampler]) -> Iterator[tuple[str, str]]:
    for problem in _declaration(sampler):
        yield "", problem
    made = instances(sampler)
    if not made:
        yield "", "no instance could be made from its defaults: give every parameter one, or add `examples`"
        return
    for problem in _light_import(sampler.__module__):
        yield "", problem
    for problem in _retry(sampler, [one for one in made if one.role == "transform"][:1]):
        yield "", problem
    stage = min(sampler.stages) if sampler.stages else "ar"
    tried = list(probes("ar" if "ar" in sampler.stages else stage))
    states = torch.random.get_rng_state()
    for one in made:
        for problem in _instance(one, tried):
            yield one.to_spec(), problem
        # what waits is looked for with every probe in the default instance, with the longest histories in the others
        longest = max(len(each.histories[0]) for each in tried)
        tried = [replace(each, waits=len(each.histories[0]) == longest) for each in tried]
    if not torch.equal(states, torch.random.get_rng_state()):
        yield "", "it uses torch's global generator: take noise from step.uniform(label)"


def _retry(sampler: type[Sampler], chain: Sequence[Sampler]) -> Iterator[str]:
    """What it offers for a bad take is a name and a chain that can be used, or nothing."""
    for given in ((), tuple(chain)):
        try:
            offered: Any = sampler.retry(given)
            if offered is None:
                continue
            name, members = offered
            compile_chain(list(members), "ar")
            if not isinstance(name, str) or not name:
                yield "retry() must return a name and the members of the chain, or None"
        except UsageError as error:
            yield f"retry() offers a chain that can't be used: {error.message}"
        except (TypeError, ValueError, AttributeError):
            yield "retry() must return a name and the members of the chain, or None"


def _instance(one: Sampler, tried: list[Probe]) -> Iterator[str]:
    context = BuildContext(vocab_size=1025, stop_token=None, frame_rate=75.0, stage=tried[0].stage)
    check: Callable[..., Iterator[str]] = {"selector": check_selector, "search": check_search}.get(
        one.role, check_transform
    )
    try:
        if type(one).from_mapping(json.loads(json.dumps(one.to_mapping()))) != one:
            yield "from_mapping(to_mapping()) isn't equal to the instance"
        if type(one).from_spec(one.to_spec().partition(":")[2]) != one:
            yield "from_spec(to_spec()) isn't equal to the instance"
        built = one.build(context)
    except (VallEError, ValueError, TypeError, ImportError, NotImplementedError) as error:  # what a bad setting raises
        yield f"it can't be configured or built: {error or type(error).__name__}"
        return
    problems: list[str] = []
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(0)
            before = torch.random.get_rng_state()
            problems += check(one, built, tried)
            drawn = not torch.equal(before, torch.random.get_rng_state())
    except Exception as error:  # a plugin's own code may raise anything; here that is the finding
        yield from problems
        yield f"it raises {type(error).__name__}: {error}"
        return
    yield from problems
    if drawn:
        yield "it uses torch's global generator: take noise from step.uniform(label)"


def _declaration(sampler: type[Sampler]) -> Iterator[str]:
    yield from declaration(sampler, Sampler)
    if not sampler.stages:
        yield "it works in no stage"


@cache
def _light_import(module: str) -> tuple[str, ...]:
    """Importing the module that declares it must not import torch and its like."""
    from ..check import heavy_imports

    own = module.rpartition(".")[2]
    if own == "__main__" or own.startswith(("test_", "conftest")):  # declared beside its tests: nothing to register
        return ()
    return tuple(heavy_imports(module))
