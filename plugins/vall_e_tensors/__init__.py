"""Tensors: read from files without running what is in them, and checked; codebook ids; a stand-in for torchaudio.

A library of the first-party packages: it has no entry point, and can't be switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .codes import codebook_ids, mono_samples
    from .int8 import SCALE, eight_bits, rescaled
    from .tensorfile import load_strictly, read_tensors, sha256_tensors
    from .torchaudio import without_torchaudio
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".codes": ("codebook_ids", "mono_samples"),
            ".int8": ("SCALE", "eight_bits", "rescaled"),
            ".tensorfile": ("load_strictly", "read_tensors", "sha256_tensors"),
            ".torchaudio": ("without_torchaudio",),
        },
    )

__all__ = [
    "SCALE",
    "codebook_ids",
    "eight_bits",
    "load_strictly",
    "mono_samples",
    "read_tensors",
    "rescaled",
    "sha256_tensors",
    "without_torchaudio",
]
