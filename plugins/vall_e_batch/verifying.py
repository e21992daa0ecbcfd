"""`--verify`: finished files are read again and transcribed, and those in which words are missing are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_audio import read_audio
from vall_e_core import InputError, UsageError
from vall_e_stt import HearingOptions
from vall_e_tts import find_missing

from .folder import read_own_record

if TYPE_CHECKING:
    from vall_e_tts import VallE

    from .rows import RowResult


@dataclass(frozen=True, slots=True)
class Verified:
    """What was heard in a finished file."""

    id: str
    out: str
    """The file, relative to the batch's folder."""
    sha256: str
    lost: bool
    """Whether too much of the text isn't heard."""
    wrong: float
    """The share of sounds that aren't as they should be, of the worst sentence."""
    missing: tuple[str, ...]
    """Words that aren't heard."""
    heard: str
    """All phonemes that were heard."""


def verify_files(
    engine: VallE, folder: Path, results: Iterable[RowResult], who: str, *, watch: Callable[[], object] = lambda: None
) -> Iterator[Verified]:
    """Listen to the files of rows that are done. What was heard of an unchanged file before isn't heard again.

    Args:
        engine: the model that listens.
        folder: the batch's.
        results: the rows.
        who: names the file `verify.WHO.jsonl`, to which everything that is heard is appended.
        watch: called now and then; what it raises ends it.

    Raises:
        ModelError: for a model that can't transcribe.
        InputError: for a file that can't be read, and where nothing can be written.
    """
    known = {each.sha256: each for each in _known(folder)}
    path = folder / f"verify.{who}.jsonl"
    try:
        with path.open("ab+") as file:
            if _is_torn(path):
                file.write(b"\n")
            for result in results:
                found = known.get(result.sha256 or "")
                if found is None or found.id != result.id:
                    engine.require_stt()
                    found = known[result.sha256 or ""] = _listen(engine, folder, result, watch)
                    line = json.dumps(asdict(found), ensure_ascii=False) + "\n"
                    file.write(line.encode("utf-8", "replace"))
                    file.flush()
                yield found
    except OSError as error:
        raise InputError(f"can't write {path}", cause=error.strerror or str(error)) from error


def _listen(engine: VallE, folder: Path, result: RowResult, watch: Callable[[], object]) -> Verified:
    """Each sentence of a file by itself: its place is in the record."""
    record = read_own_record(result.out)
    if record is None:
        raise InputError(f"can't read the record beside {result.out}", try_="run again with --restart")
    options = _listening(record)

    def progress(*_: object) -> None:
        watch()

    worst, lost, missing, heard = 0.0, False, list[str](), list[str]()
    for part in record["parts"]:
        watch()
        said = ""
        if part["duration"] > 0:
            clip = read_audio(
                result.out, start_seconds=part["start"], max_seconds=part["duration"], min_seconds=0.0,
                allow_silence=True,
            )  # fmt: skip
            said = engine.hear(clip, options, progress=progress).phonemes
        heard.append(said)
        found = find_missing(part["text"], part["phonemes"], said)
        if found is not None:
            worst, lost = max(worst, found.share), lost or found.lost
            missing += found.words if found.lost else ()
    out = result.out.relative_to(folder).as_posix()
    return Verified(result.id, out, result.sha256 or "", lost, round(worst, 4), tuple(missing), " ".join(heard))


def _listening(record: Mapping[str, Any]) -> HearingOptions:
    """How to listen to a language; to one that no model knows as if it were English."""
    try:
        return HearingOptions(language=record["language"], vad="off")
    except UsageError:
        return HearingOptions(vad="off")


def _known(folder: Path) -> Iterator[Verified]:
    for path in sorted(folder.glob("verify.*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            try:
                value = json.loads(line)
                yield Verified(**{**value, "missing": tuple(value["missing"])})
            except (ValueError, TypeError, KeyError):
                continue  # a line that isn't whole


def _is_torn(path: Path) -> bool:
    data = path.read_bytes()
    return bool(data) and not data.endswith(b"\n")
