"""Engines: what runs the layers of a model."""

from __future__ import annotations

from typing import ClassVar

from ..component import Component


class Engine(Component):
    """Runs a model's layers its own way. What the core does by itself is called `eager`, and is the reference.

    An engine whose `quantizations` hold `none` gives eager's results up to rounding: `--engine auto` may take it
    unasked, if it is `automatic`. The same seed, engine and device always give the same codes.
    """

    kind = "engine"
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    """Device types that it runs on."""
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32"})
    """Number formats of the loaded weights that it takes."""
    quantizations: ClassVar[frozenset[str]] = frozenset({"none"})
    """What it makes of the weights: `none`, `int8`, `int4`."""
    automatic: ClassVar[bool] = True
    """Whether `auto` may take it; not before it has been measured."""
    order: ClassVar[int] = 0
    """Among those that suit, `auto` takes the one with the highest."""

    @classmethod
    def available(cls) -> bool:
        """Whether what it needs is installed, without importing it. Where it isn't, `build` says what is missing."""
        return True
