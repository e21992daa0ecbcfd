"""Finding a usable espeak-ng library and the data that belongs to it.

espeak-ng ends the whole process when it is started without its data, and cuts a data path off at 160 bytes: so both
are checked here, before it is loaded.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import PluginError

from .scratch import scratch

VARIABLE = "VALL_E_ESPEAK_LIBRARY"
_LONGEST_DATA_PATH = 120  # bytes; espeak-ng has room for 159 and appends to it


@dataclass(frozen=True)
class Library:
    """A library file, its data folder (which holds `phontab`), and where it was found."""

    path: Path
    data: Path
    source: str


def find_library(chosen: Path | None = None) -> Library:
    """The first usable library. One that is named, by argument or variable, must be usable.

    Raises PluginError that names every place looked at.
    """
    tried: list[str] = []
    for source, path, data in _candidates(chosen):
        if not path.is_file():
            tried.append(f"{path} ({source}): no such file")
        elif (found := _data_for(path, data)) is None:
            tried.append(f"{path} ({source}): no espeak-ng-data found for it")
        else:
            return Library(path, found, source)
        if source in ("library", VARIABLE):
            break
    raise PluginError(
        "espeak-ng isn't usable on this machine",
        cause="; ".join(tried) if tried else "no place to look at",
        try_=f"pip install espeakng-loader, or {VARIABLE}=the library's file, or --phonemizer ipa for text that is IPA",
    )


def short_data_path(data: Path) -> Path:
    """`data`, or a short path to the same files: links in this process's temporary folder.

    Each file is linked, not the folder: the phonemizer package resolves a link before it hands the path on.
    """
    if len(os.fsencode(data)) <= _LONGEST_DATA_PATH:
        return data
    folder = Path(tempfile.mkdtemp(dir=scratch()))
    return Path(shutil.copytree(data, folder / "espeak-ng-data", copy_function=_link))


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
    return target


def _candidates(chosen: Path | None) -> Iterator[tuple[str, Path, Path | None]]:
    """Source, library, and its data where that is known."""
    if chosen is not None:
        yield "library", chosen.expanduser(), None
        return
    if os.environ.get(VARIABLE):
        yield VARIABLE, Path(os.environ[VARIABLE]).expanduser(), None
    try:
        import espeakng_loader
    except ImportError:
        pass
    else:
        folder = Path(espeakng_loader.__file__).parent
        yield "espeakng-loader", Path(espeakng_loader.get_library_path()), folder / "espeak-ng-data"
    if os.environ.get("PHONEMIZER_ESPEAK_LIBRARY"):
        yield "PHONEMIZER_ESPEAK_LIBRARY", Path(os.environ["PHONEMIZER_ESPEAK_LIBRARY"]), None
    for name in ("espeak-ng", "libespeak-ng"):
        found = ctypes.util.find_library(name)
        if found is not None:
            for path in _resolve(found):
                yield "system", path, None
    for path in _usual_places():
        yield "usual place", path, None


def _resolve(name: str) -> list[Path]:
    """Full paths for what `find_library` returned, which on Linux is a bare file name."""
    if os.path.dirname(name):
        return [Path(name)]
    roots = [Path(root) for root in ("/usr/lib", "/usr/local/lib", "/lib", "/usr/lib64")]
    roots += Path("/usr/lib").glob("*-linux-*")
    return [path for root in roots if (path := root / name).is_file()] or [Path(name)]


def _usual_places() -> list[Path]:
    if sys.platform == "win32":
        roots = [os.environ.get("PROGRAMFILES", r"C:\Program Files"), r"C:\Program Files (x86)"]
        return [Path(root) / "eSpeak NG" / "libespeak-ng.dll" for root in roots]
    if sys.platform == "darwin":
        return [Path(root) / "libespeak-ng.dylib" for root in ("/opt/homebrew/lib", "/usr/local/lib", "/opt/local/lib")]
    return [Path(root) / "libespeak-ng.so.1" for root in ("/usr/lib", "/usr/local/lib", "/usr/lib64")]


def _data_for(library: Path, known: Path | None) -> Path | None:
    """The folder with the data of `library`, or None."""
    real = library.resolve()
    places = [known] if known is not None else []
    if os.environ.get("ESPEAK_DATA_PATH"):
        root = Path(os.environ["ESPEAK_DATA_PATH"])
        places += [root, root / "espeak-ng-data"]
    places += [
        real.parent / "espeak-ng-data",
        real.parent.parent / "share" / "espeak-ng-data",
        real.parent.parent.parent / "share" / "espeak-ng-data",
        Path("/usr/share/espeak-ng-data"),
        Path("/usr/local/share/espeak-ng-data"),
    ]
    return next((place for place in places if (place / "phontab").is_file()), None)
