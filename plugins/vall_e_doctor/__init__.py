"""`vall-e doctor`: looks at this installation and says how to repair it."""

from __future__ import annotations

from collections.abc import Iterable

from vall_e_core import LazyCommand, hookimpl


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `doctor`."""
    return [
        LazyCommand(
            "doctor", "check this installation and suggest fixes", "vall_e_doctor.command:doctor", json=True
        )
    ]
