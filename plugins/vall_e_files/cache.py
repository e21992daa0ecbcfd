"""Where downloaded models lie on this machine. Nothing here touches the network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "VALL_E_HOME"
OFFLINE_VARIABLES = ("VALL_E_OFFLINE", "HF_HUB_OFFLINE")


def cache_home() -> Path:
    """The folder for downloads: `$VALL_E_HOME`, or the platform's usual place for what can be fetched again."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "vall-e"


def cached_model(model: str, file: str, cache_dir: Path | None = None) -> Path:
    """Where `file` of the known model `model` belongs, whether or not it is there yet.

    Args:
        cache_dir: instead of `cache_home()`.
    """
    return (cache_dir if cache_dir is not None else cache_home()) / "models" / model / file


def offline_variable() -> str | None:
    """The environment variable that forbids the network, or None."""
    for name in OFFLINE_VARIABLES:
        if os.environ.get(name, "").strip().lower() not in ("", "0", "false", "no", "off"):
            return name
    return None
