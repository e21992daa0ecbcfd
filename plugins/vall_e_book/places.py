"""Where everything goes, checked before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import InputError, UsageError
from vall_e_files import check_file, check_folder

from .media import FORMS, encoder_for
from .writing import CHAPTERS, SUBTITLES

REPORT = "report.json"


@dataclass(frozen=True)
class Places:
    """The files of an audiobook. `encoder` is empty for a folder, which gets a file a chapter."""

    output: Path
    encoder: str
    subtitles: tuple[tuple[str, Path], ...]
    report: Path
    work: Path


def check_places(
    output: Path, *, source: Path, subtitles: Sequence[str], work: Path | None, overwrite: bool
) -> Places:
    """The places of an output.

    Raises:
        UsageError: for an unknown suffix, what can't be made here, and files that may not be replaced.
        InputError: where nothing can be written.
    """
    suffix = output.suffix.lower()
    work = output.with_name(f"{output.name}.work") if work is None else work
    if not suffix or output.is_dir():
        return _in_folder(output, subtitles, work, overwrite)
    if suffix not in FORMS:
        known = ", ".join(FORMS)
        raise UsageError(f"an audiobook can't be a {suffix} file", try_=f"{known}, or a folder for a file a chapter")
    encoder = encoder_for(suffix)
    beside = tuple((kind, output.with_suffix(f".{kind}")) for kind in subtitles)
    report = output.with_name(f"{output.name}.json")
    for path in (output, report, *(path for _, path in beside)):
        check_file(path, overwrite=overwrite, inputs=[source])
    return Places(output, encoder, beside, report, work)


def _in_folder(folder: Path, subtitles: Sequence[str], work: Path, overwrite: bool) -> Places:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {folder}", cause=error.strerror) from error
    check_folder(folder)
    beside = tuple((kind, folder / f"book.{kind}") for kind in subtitles)
    for path in (folder / CHAPTERS, folder / REPORT, *(path for _, path in beside)):
        check_file(path, overwrite=overwrite)
    return Places(folder, "", beside, folder / REPORT, work)


def subtitle_kinds(text: str) -> tuple[str, ...]:
    """`srt,vtt` as kinds. Raises UsageError for an unknown one."""
    found = tuple(dict.fromkeys(each.strip().lower() for each in text.split(",") if each.strip()))
    if found == ("none",):
        return ()
    for each in found:
        if each not in SUBTITLES:
            raise UsageError(f"unknown subtitles: {each!r}", try_=f"{', '.join(SUBTITLES)}, or none")
    return found
