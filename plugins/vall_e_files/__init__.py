"""Files: written whole or not at all, read within bounds; the cache folder; hashes.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .atomic import Output, open_output, sweep, write_atomic
    from .cache import HOME_VARIABLE, cache_home, cached_model, offline_variable
    from .hashes import sha256_file
    from .output import (
        FORMATS,
        OutputTarget,
        check_file,
        check_folder,
        check_output,
        json_bytes,
        write_json,
        write_stdout,
    )
    from .record import FORMAT, check_unchanged, read_record, sha256_codes, versions, with_output
    from .whole import read_whole
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".atomic": ("Output", "open_output", "sweep", "write_atomic"),
            ".cache": ("HOME_VARIABLE", "cache_home", "cached_model", "offline_variable"),
            ".hashes": ("sha256_file",),
            ".output": (
                "FORMATS",
                "OutputTarget",
                "check_file",
                "check_folder",
                "check_output",
                "json_bytes",
                "write_json",
                "write_stdout",
            ),
            ".record": ("FORMAT", "check_unchanged", "read_record", "sha256_codes", "versions", "with_output"),
            ".whole": ("read_whole",),
        },
    )

__all__ = [
    "FORMAT",
    "FORMATS",
    "HOME_VARIABLE",
    "Output",
    "OutputTarget",
    "cache_home",
    "cached_model",
    "check_file",
    "check_folder",
    "check_output",
    "check_unchanged",
    "json_bytes",
    "offline_variable",
    "open_output",
    "read_record",
    "read_whole",
    "sha256_codes",
    "sha256_file",
    "sweep",
    "versions",
    "with_output",
    "write_atomic",
    "write_json",
    "write_stdout",
]
