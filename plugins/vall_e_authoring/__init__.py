"""For authors of plugins: `plugins new`, `plugins check`, `schema`, the contract suites, the pages of samplers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vall_e_core import LazyCommand, hookimpl, lazy_names

if TYPE_CHECKING:
    from .check import check
    from .given import SamplerLike, as_sampler, as_samplers, installed_samplers
    from .new import Names, write_plugin
    from .sync import NoSync, no_transfer
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".sync": ("NoSync", "no_transfer"),
            ".given": ("SamplerLike", "as_sampler", "as_samplers", "installed_samplers"),
            ".check": ("check",),
            ".new": ("Names", "write_plugin"),
        },
    )


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The commands `plugins check`, `plugins new`, `samplers show` and `schema`."""
    return [
        LazyCommand(
            "plugins check", "test a plugin against the contract suites", "vall_e_authoring.commands:check_plugin",
            json=True,
        ),
        LazyCommand("plugins new", "create a new plugin", "vall_e_authoring.commands:new_plugin", json=True),
        LazyCommand("schema", "print the JSON Schema of a component", "vall_e_authoring.schema:schema", json=True),
        LazyCommand(
            "samplers show", "show the reference page of a sampler", "vall_e_authoring.commands:show_sampler", json=True
        ),
    ]


__all__ = [
    "Names",
    "NoSync",
    "SamplerLike",
    "as_sampler",
    "as_samplers",
    "check",
    "installed_samplers",
    "no_transfer",
    "write_plugin",
]
