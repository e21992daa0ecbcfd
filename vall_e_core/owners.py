"""Whose code it is: what a plugin's code does wrong is that plugin's failure, in every kind and phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import FAILURES, PluginError, VallEError

if TYPE_CHECKING:
    from .component import BuildContext, Component


@dataclass(frozen=True)
class Owner:
    """Where a component comes from."""

    label: str
    """For messages: `the plugin bad (vall-e-bad 0.1)`, or the package where no registry knows it."""
    ours: bool = False
    """It belongs to this distribution."""


def owner_by_module(component: type[Component]) -> Owner:
    """What a component's module tells, without a registry."""
    return Owner(f"the package {component.__module__.partition('.')[0]}")


@contextmanager
def blaming(blame: Callable[[BaseException], PluginError | None]) -> Iterator[None]:
    """What `blame` makes of an error in the block is raised in its place; None leaves it.

    Errors of ours say enough, a device without memory is no plugin's fault, and interrupts go on; no other end does.
    """
    try:
        yield
    except (VallEError, MemoryError, BrokenPipeError):
        raise
    except FAILURES as error:
        blamed = None if type(error).__name__ == "OutOfMemoryError" else blame(error)
        if blamed is None:
            raise
        raise blamed from error


@contextmanager
def plugin_code(component: Component | type[Component], doing: str, ctx: BuildContext | None = None) -> Iterator[None]:
    """What a component's code raises in the block is its failure: PluginError, with its name and its plugin's."""
    kind = component if isinstance(component, type) else type(component)
    owner = owner_by_module(kind) if ctx is None else ctx.owner_of(kind)
    with blaming(lambda error: failure(f"the {kind.kind} {kind.name}", owner, doing, error)):
        yield


def failure(what: str, owner: Owner | None, doing: str | None, error: BaseException) -> PluginError:
    """The error for something that a plugin's code raised."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= 300 else text[:299] + "…"
    did = ("exited" if isinstance(error, SystemExit) else "failed") + (f" in {doing}()" if doing else "")
    return PluginError(
        f"{what} {did}: {type(error).__name__}{f': {shown}' if shown else ''}",
        cause=None if owner is None else f"it comes from {owner.label}",
        try_="--debug shows where; use another one, or a newer version of the plugin",
    )  # fmt: skip
