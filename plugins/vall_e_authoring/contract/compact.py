"""The contract of what sees only the tokens that are left: the same on a smaller vocabulary as on the whole one."""
# ruff: noqa: ANN401 - what a component builds, and its state, are of its own types

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vall_e_core import Sampler
from vall_e_core.sampling import Step, highest
from vall_e_core.sampling.running import Candidates, Narrowing

from .common import context, replayed, same
from .probes import Probe

NEVER = float("-inf")
_COUNTS = (1, 7, 50)


def check_compact_transform(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    """What a transform that declares `compact`, or has `kept`, must do."""
    if isinstance(built, Narrowing):
        yield from _kept(built, probe)
    if "compact" not in one.invariances:
        return
    for few, step in _reduced(probe):
        state = replayed(built, probe, step)
        dense, small = built.apply(few.spread(), step, state), built.apply(few.logits.clone(), step, state)
        if small.shape != few.logits.shape or not same(few.changed(small).spread(), dense):
            yield f"it declares compact, but does something else where the removed tokens aren't there ({probe.name})"
            return
        left = dense > NEVER
        filters = one.removes and not one.bans and not one.takes_maximum()
        if filters and not torch.equal(dense[left], few.spread()[left]):
            yield f"it declares compact and changes logits: then it has to declare removes = False ({probe.name})"
            return


def check_compact_selector(one: Sampler, built: Any, probe: Probe) -> Iterator[str]:
    """What a selector that declares `compact` must do."""
    if "compact" not in one.invariances:
        return
    for few, step in _reduced(probe):
        state = built.init(step.rows.shape[0], context(probe, step))
        if state is not None:
            yield "it declares compact, but keeps a state: only the logits that are left would be seen by accept()"
            return
        tokens = built.select(few.spread(), step, None)
        places = built.select(few.logits.clone(), step, None)
        if bool((places >= few.ids.shape[1]).any()) or not torch.equal(few.tokens(places), tokens):
            yield f"it declares compact, but takes another token where the removed ones aren't there ({probe.name})"
            return


def _reduced(probe: Probe) -> Iterator[tuple[Candidates, Step]]:
    """A few tokens of the probe, as the chain shows them, and its step: the most probable ones, and some from all over;
    with and without a stop token."""
    logits, size = probe.logits, probe.size
    for count in (each for each in _COUNTS if each < size):
        spread = torch.arange(0, size, size // count)[:count].repeat(len(logits), 1)
        for shown, ids in ((logits, highest(logits, count)), (logits.clamp(min=-30.0), spread)):
            for stop in (None, size - 1):
                yield Candidates.of(shown, ids, stop), probe.step(stop_token=stop)


def _kept(built: Any, probe: Probe) -> Iterator[str]:
    """`kept` says what `apply` does."""
    step = probe.step()
    state = replayed(built, probe, step)
    given = probe.logits.clone()
    ids: Tensor = built.kept(given, step, state)
    if not torch.equal(given, probe.logits):
        yield "kept() writes to the logits it is given"
    if ids.dim() != 2 or ids.shape[0] != given.shape[0] or ids.dtype != torch.int64:
        yield f"kept() returns {tuple(ids.shape)} {ids.dtype} instead of as many int64 ids for each row ({probe.name})"
        return
    if bool(((ids < 0) | (ids >= probe.size)).any()) or bool((ids[:, 1:] <= ids[:, :-1]).any()):
        yield f"kept() returns ids that don't exist, come twice or don't rise ({probe.name})"
        return
    if not same(Candidates.of(probe.logits, ids, None).spread(), built.apply(probe.logits.clone(), step, state)):
        yield f"kept() names other tokens than apply() keeps ({probe.name})"
