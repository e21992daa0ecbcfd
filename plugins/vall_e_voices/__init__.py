"""`vall-e voices`: recordings encoded once and kept under a name, for `--voice NAME`."""

from __future__ import annotations

from collections.abc import Iterable

from vall_e_core import LazyCommand, hookimpl


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `voices`."""
    return [LazyCommand("voices", "keep voices by name, list, play and remove them", "vall_e_voices.commands:voices")]
