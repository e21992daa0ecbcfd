"""Importing packages that ask for more than they use."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class _Stub(ModuleType):
    """Stands in for torchaudio while another package is imported: any attribute is a further stub, made on demand."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        self.__path__: list[str] = []

    def __getattr__(self, attribute: str) -> ModuleType:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return sys.modules.get(f"{self.__name__}.{attribute}") or _Stub(f"{self.__name__}.{attribute}")

    def __call__(self, *_args: object, **_kwargs: object) -> object:
        raise RuntimeError(f"{self.__name__} is not installed in a working state, and was not expected to be called")


_SUBMODULES = ("functional", "functional.functional", "transforms")


@contextmanager
def without_torchaudio() -> Iterator[None]:
    """Inside, `import encodec` and `import vocos` succeed even where torchaudio is absent or broken.

    Both import torchaudio at their top and use nothing of it that we call; a torchaudio that doesn't fit the torch
    beside it fails while it loads its library. A real one is used where it works. Otherwise a stub stands in
    `sys.modules` for as long as the block lasts and is taken away afterwards, so that nobody else meets it.
    """
    before = {name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")}
    if before or _works():
        yield
        return
    names = ["torchaudio", *(f"torchaudio.{each}" for each in _SUBMODULES)]
    for name in names:
        sys.modules[name] = _Stub(name)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
            del sys.modules[name]


def _works() -> bool:
    try:
        importlib.import_module("torchaudio")
    except (ImportError, OSError, RuntimeError, AttributeError):
        for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
            del sys.modules[name]
        return False
    return True
