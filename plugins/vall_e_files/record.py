"""What is kept beside every result, so that it can be explained and repeated."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError

from .hashes import sha256_file
from .whole import read_whole

if TYPE_CHECKING:
    from torch import Tensor

    from .output import OutputTarget

#: The record's own format; a reader refuses a newer one.
FORMAT = 1
_PACKAGES = (
    "vall-e", "torch", "numpy", "soundfile", "soxr", "safetensors", "encodec", "vocos", "phonemizer", "espeakng-loader",
)  # fmt: skip


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """The installed versions of what can change a result; a package that isn't installed is left out."""
    installed = {package: _version(package) for package in packages}
    return {"python": platform.python_version(), **{name: each for name, each in installed.items() if each is not None}}


@cache
def _version(package: str) -> str | None:
    """None where it isn't installed. Asked for every sentence, and the answer takes reading a long file."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


MOST_BYTES = 1 << 28
"""Of a record: hours of speech have one of a few MiB."""


def read_record(path: Path) -> dict[str, Any]:
    """A record as it was written. InputError where the file isn't one, or is from a newer program."""
    import json

    data = read_whole(path, "the record", MOST_BYTES)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InputError(f"not a record: {path}", cause=f"it isn't JSON ({error})", try_="OUT.wav.json") from error
    if not isinstance(value, dict) or not isinstance(value.get("arguments"), dict):
        raise InputError(
            f"not a record that can be repeated: {path}",
            cause="it holds no arguments: it was made from Python, or is another file",
            try_="the .json beside audio that the command made",
        )  # fmt: skip
    number = value.get("format")
    if not isinstance(number, int) or number > FORMAT:
        raise InputError(
            f"can't use the record {path}", cause=f"its format is {number!r}, this program reads up to {FORMAT}"
        )
    return value


def check_unchanged(record: Mapping[str, Any], path: Path) -> None:
    """That the reference files a record names are still the ones it was made from. Raises InputError."""
    for reference in record.get("references", ()):
        expected, name = reference.get("sha256"), reference.get("path")
        if expected and name and sha256_file(Path(name)) != expected:
            raise InputError(
                f"the reference has changed since {path.name} was written: {name}",
                cause=f"its sha256 isn't {expected[:12]}…",
                try_="name the right reference with --ref",
            )


def sha256_codes(codes: Tensor) -> str:
    """The sha256 of codes [T, q] as little-endian 16-bit numbers: equal for equal codes on any machine."""
    return hashlib.sha256(codes.cpu().numpy().astype("<i2").tobytes()).hexdigest()


def with_output(
    record: Mapping[str, Any], target: OutputTarget, sample_rate: int, samples: int, sha256: str
) -> dict[str, Any]:
    """A record with the facts of what is written to `target` in it."""
    return {
        **record,
        "output": {
            "path": None if target.path is None else str(target.path), "format": target.format,
            "sample_rate": sample_rate, "channels": 1, "samples": samples, "sha256": sha256,
        },
    }  # fmt: skip
