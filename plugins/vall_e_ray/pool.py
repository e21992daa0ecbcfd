"""The actors: as many as the cluster has room for, replaced when they die."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from vall_e_batch import Job
from vall_e_core import DeviceError, ModelError, VallEError, __version__

from .actor import Place
from .cluster import Handle, RayModule, Ref

COUNTED_EVERY = 2.0
"""Seconds between two looks at how large the cluster is."""
MOST_LOADS = 3
"""So many actors, one after the other, may die while they load."""
PATIENCE = 10.0
"""Seconds without an actor after which it is said what it waits for."""


@dataclass(frozen=True)
class Sent:
    """A row at an actor."""

    job: Job
    began: float


@dataclass(eq=False)
class Actor:
    """One actor, and what it has to do."""

    handle: Handle
    loading: Ref
    """The reference of its loading."""
    ready: bool = False
    jobs: dict[Ref, Sent] = field(default_factory=dict)
    """What it is making, by the reference of the result."""
    alone: bool = False
    """It is given nothing else meanwhile."""


class Lost(Exception):
    """An actor has died, for the reason that is its text."""


class Pool:
    """The actors of a run. `ready` are those that can be given rows."""

    def __init__(
        self, ray: RayModule, make: Callable[[], Handle], needs: Mapping[str, float], most: int, fixed: bool,
        notify: Callable[[str], None],
    ) -> None:  # fmt: skip
        """
        Args:
            ray: the connected module.
            make: asks the cluster for another actor.
            needs: what an actor takes, by Ray's names (`CPU`, `GPU`).
            most: how many there may be.
            fixed: ask for `most`, whether or not the cluster has room: it may grow if it is asked.
            notify: takes notices to the user.
        """
        self._ray, self._make, self._needs, self._most, self._fixed = ray, make, needs, most, fixed
        self._notify = notify
        self._actors: list[Actor] = []
        self._misfits: list[VallEError] = []
        self._kinds: set[str] = set()
        self._counted = -COUNTED_EVERY
        self._fallen = 0
        self._began: float | None = time.monotonic()
        """Since when there has been no actor; None where that has been told, or there is one."""

    @property
    def ready(self) -> Sequence[Actor]:
        """Those that are loaded."""
        return [each for each in self._actors if each.ready]

    def grow(self) -> None:
        """Ask for more actors where there is room. Raises what keeps all of them from being used."""
        now = time.monotonic()
        if now - self._counted >= COUNTED_EVERY:
            self._counted = now
            room = self._most if self._fixed else min(self._most, self._room())
            wanted = max(1, room) - len(self._misfits)
            if wanted <= 0 and not self._actors:
                raise self._misfits[-1]
            for _ in range(wanted - len(self._actors)):
                handle = self._make()
                self._actors.append(Actor(handle, handle.load.remote()))
        if self._began is not None and now - self._began > PATIENCE:
            self._began = None
            needs = ", ".join(f"{number:g} {name}" for name, number in self._needs.items())
            self._notify(f"the Ray cluster is loading models, or has no room yet for an actor with {needs}")

    def _room(self) -> int:
        """For how many actors there is room on the machines, whoever uses them now."""
        found = 0
        for node in self._ray.nodes():
            if node["Alive"]:
                found += min(int(node["Resources"].get(name, 0.0) // each) for name, each in self._needs.items())
        return found

    def news(self, seconds: float) -> Iterator[tuple[Actor, Ref]]:
        """Results that are there, each with its actor, after waiting for one at most so long."""
        waiting = {ref: each for each in self._actors for ref in (each.jobs if each.ready else (each.loading,))}
        if not waiting:
            time.sleep(seconds)
            return
        there, _ = self._ray.wait(list(waiting), num_returns=1, timeout=seconds)
        if there:
            there, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        for ref in there:
            actor = waiting[ref]
            if actor not in self._actors:
                continue  # it has been dropped meanwhile
            if actor.ready:
                yield actor, ref
            else:
                self._loaded(actor)

    def _loaded(self, actor: Actor) -> None:
        """An actor has loaded its engine, or couldn't."""
        try:
            place: Place = self.result(actor.loading)
            if place.vall_e != __version__:
                raise ModelError(
                    f"{place.machine} has another version of vall-e: {place.vall_e} instead of {__version__}",
                    try_="the same version on each machine",
                )
        except Lost as lost:
            self.drop(actor)
            self._fallen += 1
            if self._fallen >= MOST_LOADS:
                raise DeviceError(
                    "the actors die while they load the model", cause=str(lost), try_="more memory for each"
                ) from lost
            return
        except VallEError as error:
            self.leave_out(actor, error)
            return
        self._fallen, self._began, actor.ready = 0, None, True
        self._kinds.add(f"{place.processor} with torch {place.torch}")
        if len(self._kinds) == 2:
            self._notify(f"different machines may give different codes: {'; '.join(sorted(self._kinds))}")

    def result(self, ref: Ref) -> Any:  # noqa: ANN401 - what the actor's method returns
        """What an actor returned. Raises Lost where it has died or failed, VallEError where it can't be used."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as error:
            if isinstance(error.cause, VallEError):
                raise error.cause from error
            raise Lost(f"{type(error.cause).__name__}: {error.cause}") from error
        except errors.RayError as error:
            raise Lost(" ".join(str(error).split())[:300]) from error

    def leave_out(self, actor: Actor, error: VallEError) -> None:
        """One that can't be used, and isn't replaced."""
        self.drop(actor)
        self._misfits.append(error)
        self._counted = -COUNTED_EVERY
        reason = f": {error.cause}" if error.cause else ""
        self._notify(f"an actor is left out: {error.message}{reason}")

    def drop(self, actor: Actor) -> None:
        """One that is gone, or is to be."""
        self._actors.remove(actor)
        self._counted = -COUNTED_EVERY
        with suppress(Exception):  # it may be dead
            self._ray.kill(actor.handle)

    def close(self) -> None:
        """End all of them."""
        for each in self._actors[:]:
            self.drop(each)
