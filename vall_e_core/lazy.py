"""Names that a package offers and that import what they need only when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazy_names(
    package: str, modules: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package whose names are resolved when they are first used (PEP 562).

        __getattr__, __dir__ = lazy_names(__name__, {".clip": ("AudioClip",)})

    Args:
        package: the package's own `__name__`.
        modules: the names that each module holds, by the module's name relative to the package.

    Returns:
        Both functions. The first raises AttributeError for a name that isn't listed.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        module = homes.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(module, package), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names
