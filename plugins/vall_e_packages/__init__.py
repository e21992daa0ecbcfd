"""`vall-e plugins install` and `uninstall`: packages of plugins, by the pip of this environment."""

from __future__ import annotations

from collections.abc import Iterable

from vall_e_core import LazyCommand, hookimpl


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The commands `plugins install` and `plugins uninstall`."""
    return [
        LazyCommand("plugins install", "install plugins from the package index", "vall_e_packages.commands:install"),
        LazyCommand("plugins uninstall", "remove installed plugins", "vall_e_packages.commands:uninstall"),
    ]
