"""The packages of the extras `eval` and `judges`, which may not be there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from types import ModuleType

from vall_e_core import ModelError

INSTALL = "pip install 'vall-e[eval]'"
INSTALL_JUDGES = "pip install 'vall-e[judges]'"


def need(module: str, what: str, install: str = INSTALL) -> ModuleType:
    """A module that `what` can't do without. Raises ModelError that says how to install it."""
    try:
        with quietly():
            return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ModelError(f"{what} needs the package {package}", cause=str(error), try_=install) from error


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings of packages about packages of their own: nobody here can do anything about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def need_all(what: str) -> None:
    """Everything that any evaluation uses. Raises ModelError that names what is missing."""
    missing = []
    for module in ("pocketsphinx", "pystoi", "jiwer", "scipy", "matplotlib"):
        try:
            import_module(module)
        except ImportError:
            missing.append(module)
    if missing:
        raise ModelError(f"{what} needs packages that aren't installed: {', '.join(missing)}", try_=INSTALL)


def versions(*packages: str) -> dict[str, str]:
    """Installed versions; a package that isn't installed is left out."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
