"""Is a file still what it was? Against the publisher's hash, else against the one noted when it was downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import hexdigits
from typing import Literal

from vall_e_files import sha256_file


@dataclass(frozen=True)
class Verdict:
    """`ok`: as published. `unchanged`: as downloaded, for want of a published hash. `unknown`: nothing to go by."""

    status: Literal["ok", "unchanged", "unknown", "damaged"]
    detail: str


def note_path(path: Path) -> Path:
    """Where the hash is noted."""
    return path.with_name(path.name + ".sha256")


def note_download(path: Path, digest: str) -> None:
    """Keep the hash of a fresh download, in the form that `sha256sum -c` reads."""
    note_path(path).write_text(f"{digest}  {path.name}\n", "utf-8")


def verify_file(path: Path, sha256: str | None, size: int | None) -> Verdict:
    """Read all of it and compare."""
    found = path.stat().st_size
    if size is not None and found != size:
        return Verdict("damaged", f"{found} bytes, expected {size}")
    digest = sha256_file(path)
    if sha256 is not None:
        same = digest.startswith(sha256.lower())
        return Verdict("ok" if same else "damaged", f"sha256 {digest}" + ("" if same else f", expected {sha256}"))
    noted = _noted(path)
    if noted is None:
        return Verdict("unknown", f"sha256 {digest}; its publisher's isn't known")
    if digest != noted:
        return Verdict("damaged", f"sha256 {digest}, but {noted} when it was downloaded")
    return Verdict("unchanged", f"sha256 {digest}, as downloaded; its publisher's isn't known")


def _noted(path: Path) -> str | None:
    """The hash noted when the file was downloaded; None where there is no whole one."""
    try:
        noted = note_path(path).read_text("utf-8").partition(" ")[0]
    except (OSError, UnicodeDecodeError):
        return None
    return noted if len(noted) == 64 and set(noted) <= set(hexdigits) else None
