"""Engines: what runs the layers of a model."""

from __future__ import annotations

from typing import ClassVar

from ..component import Component


class Engine(Component):
    """A way to run a model's layers. The core's own is called `eager`, and is the reference.

    An engine whose `quantizations` include `none` gives eager's results up to rounding, so `--engine auto` may
    choose it if it is `automatic`. The same seed, engine and device always give the same codes.
    """

    kind = "engine"
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    """Device types that it runs on."""
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32"})
    """Number formats of the loaded weights that it takes."""
    quantizations: ClassVar[frozenset[str]] = frozenset({"none"})
    """The quantizations that it supports: `none`, `int8`, `int4`."""
    automatic: ClassVar[bool] = True
    """Whether `auto` may choose it; False until it has been measured."""
    order: ClassVar[int] = 0
    """`auto` prefers the highest."""

    @classmethod
    def available(cls) -> bool:
        """Whether what it needs is installed, without importing it. Where it isn't, `build` says what is missing."""
        return True
