"""Where samplers stand among each other when nobody says: named places, and within one what a sampler declares."""

from __future__ import annotations

from collections.abc import Iterable

from ..kinds import Sampler
from ..kinds.sampler import PLACES


def canonical(samplers: Iterable[type[Sampler]]) -> list[type[Sampler]]:
    """Samplers in canonical order: by place, within a place as `after` and `before` say, then by name.

    Those that say nothing about the others of their place come behind those that do. Where declarations contradict
    each other, the name decides.
    """
    found = {each.name: each for each in sorted(samplers, key=lambda each: (each.name, each.__module__))}
    return [each for place in PLACES for each in _sorted([one for one in found.values() if one.place == place])]


def precedes(first: type[Sampler], second: type[Sampler]) -> bool:
    """Whether one sampler usually stands before another."""
    if first.place != second.place:
        return PLACES.index(first.place) < PLACES.index(second.place)
    return first.name in second.after or second.name in first.before


def _sorted(members: list[type[Sampler]]) -> list[type[Sampler]]:
    """Members of one place: again and again the first by name that nothing left has to precede."""
    names = {each.name for each in members}
    said = {name for each in members for name in (*each.after, *each.before) if name in names}
    waiting = sorted(members, key=lambda each: (not (each.after or each.before or each.name in said), each.name))
    made: list[type[Sampler]] = []
    while waiting:
        free = [each for each in waiting if not any(precedes(other, each) for other in waiting if other is not each)]
        made.append((free or waiting)[0])
        waiting.remove(made[-1])
    return made
