"""What is spoken: sentences, and recordings with their text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import InputError, UsageError
from vall_e_text import read_text

from .store import AUDIO, ITEMS

PACKAGED = Path(__file__).parent / "data" / "sentences.tsv"
"""120 sentences written for this, in the lists A (for tuning), B (for reporting) and C (for what else needs some)."""
_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
MANIFESTS = (".jsonl", ".tsv")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a set; `list` is empty where the set has no lists."""

    id: str
    list: str
    text: str


def read_sentences(path: Path | None = None) -> list[Sentence]:
    """A set: lines of id, list and sentence with tabs between (a head line is left out), or one sentence a line.

    The packaged set if None. Raises InputError.
    """
    lines = [line.strip("\r\n ") for line in read_text(PACKAGED if path is None else path).splitlines()]
    lines = [line for line in lines if line]
    width = max(4, len(str(len(lines))))
    found: list[Sentence] = []
    for number, line in enumerate(lines, 1):
        cells = [each.strip() for each in line.split("\t")]
        if cells[:3] == ["id", "list", "sentence"]:
            continue
        if len(cells) not in (1, 3):
            raise InputError(
                f"not a list of sentences: {path}", cause=f"line {number} has {len(cells)} cells",
                try_="id, list and sentence with tabs between, or one sentence a line",
            )  # fmt: skip
        own = f"{number:0{width}}" if len(cells) == 1 else identity(cells[0])
        found.append(Sentence(own, "" if len(cells) == 1 else cells[1], cells[-1]))
    if not found:
        raise InputError(f"no sentences in {path}")
    if len({each.id for each in found}) < len(found):
        raise InputError(f"two sentences of {path} have the same id")
    return found


def choose(sentences: Sequence[Sentence], lists: str, number: int | None) -> list[Sentence]:
    """Those of some lists (letters, or `all`), in the file's order, the first `number` of them. Raises UsageError."""
    known = {each.list for each in sentences}
    if lists.lower() == "all" or known == {""}:
        chosen = list(sentences)
    else:
        wanted = {lists} if lists in known else set(lists)
        if not wanted or not wanted <= known:
            raise UsageError(f"no such list of sentences: {lists}", try_=f"of {', '.join(sorted(known))}, or all")
        chosen = [each for each in sentences if each.list in wanted]
    return chosen if number is None else chosen[:number]


def text_beside(path: Path) -> str | None:
    """What the text file of the same name says, or None."""
    beside = path.with_suffix(".txt")
    return (read_text(beside).strip() or None) if beside.is_file() else None


@dataclass(frozen=True)
class Item:
    """A recording, and what it says where that is known. `speaker` groups recordings of one voice."""

    id: str
    path: Path
    text: str | None = None
    phonemes: str | None = None
    speaker: str = ""


def read_items(source: Path, number: int | None = None) -> list[Item]:
    """Recordings of a folder (each with NAME.txt beside it, or without), or of a manifest.

    A folder that `vall-e eval tts` has written gives what was spoken there. A manifest is JSON lines: `audio` (a path,
    from the manifest's folder), and where known `text`, `phonemes` (IPA), `speaker`, `id`; or, if its name ends in
    .tsv, lines of path, speaker and text with tabs between. Raises InputError.
    """
    if (source / ITEMS).is_dir() and (source / AUDIO).is_dir():
        items = _spoken(source)
    elif source.is_dir():
        paths = sorted(each for each in source.rglob("*") if each.suffix.lower() in _SUFFIXES)
        items = [
            Item(identity(each.relative_to(source).with_suffix("").as_posix()), each, text_beside(each))
            for each in paths
        ]
    else:
        items = [_item(line, source, n) for n, line in enumerate(read_text(source).splitlines(), 1) if line.strip()]
    if not items:
        raise InputError(f"no recordings in {source}", try_="a folder with audio, or a manifest of JSON lines")
    if len({each.id for each in items}) < len(items):
        raise InputError(f"two recordings of {source} have the same id", try_='"id" in each line of the manifest')
    return items if number is None else items[:number]


def _spoken(source: Path) -> list[Item]:
    """What a run of `vall-e eval tts` has spoken."""
    found = []
    for path in sorted((source / ITEMS).glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        audio = source / AUDIO / f"{path.stem}.wav"
        if audio.is_file() and "phonemes" in record:
            found.append(Item(path.stem, audio, record["text"], record["phonemes"], record["reference"]))
    return found


def _item(line: str, source: Path, number: int) -> Item:
    if source.suffix.lower() == ".tsv":
        return _row(line, source, number)
    try:
        value = json.loads(line)
        known = {key: value.get(key) for key in ("audio", "text", "phonemes", "speaker", "id")}
        if not all(each is None or isinstance(each, str) for each in known.values()) or not known["audio"]:
            raise ValueError('"audio" and the other keys are texts')
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"not a manifest: {source}", cause=f"line {number}: {error}",
            try_='{"audio": "a.wav", "text": "What it says."}',
        ) from error  # fmt: skip
    path = source.parent / known["audio"]
    own = known["id"] if known["id"] else f"{number:05}-{Path(known['audio']).stem}"
    return Item(identity(own), path, known["text"], known["phonemes"], known["speaker"] or "")


def _row(line: str, source: Path, number: int) -> Item:
    cells = [each.strip() for each in line.split("\t")]
    if len(cells) != 3 or not cells[0]:
        raise InputError(
            f"not a manifest: {source}", cause=f"line {number} has {len(cells)} cells",
            try_="path, speaker and text with tabs between",
        )  # fmt: skip
    path, speaker, text = cells
    return Item(f"{number:05}-{identity(Path(path).stem)}", source.parent / path, text or None, None, speaker)


def identity(name: str) -> str:
    """A name for files."""
    return re.sub(r"[^\w.+-]", "_", name)[:128]
