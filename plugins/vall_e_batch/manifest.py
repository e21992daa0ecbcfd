"""Manifests: files that list rows, in our own form and in those of others. The whole file is read, errors and all."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, UsageError
from vall_e_core.run import by_key, chain_options, flag_options
from vall_e_files import read_whole
from vall_e_tts import SpeechOptions

from .forms import FORMS, Form, Wrong, form_of_json
from .rows import Problem, Row

if TYPE_CHECKING:
    from vall_e_core import Registry

MOST_BYTES = 1 << 28
"""Of a manifest, unpacked."""
SUFFIXES: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".txt": "txt"}
NAMES = ("auto", "jsonl", "csv", "tsv", "ljspeech", "openai", "nemo", "lhotse", "txt")
"""What `--manifest-format` takes."""


@dataclass(frozen=True)
class Manifest:
    """A manifest as it was read: its rows, what is wrong with the others, and its form."""

    rows: list[Row]
    problems: list[Problem]
    form: str


def read_manifest(path: Path, registry: Registry, *, form: str = "auto") -> Manifest:
    """Read all rows.

    Args:
        path: the file; one that ends with .gz is unpacked.
        registry: whose samplers' flags a row may use.
        form: one of `NAMES`; auto goes by the suffix, and for JSON lines by the fields of the first.

    Raises:
        InputError: for a file that can't be read.
        UsageError: for one whose form is unknown.
    """
    text = _decoded(_unpacked(path), path)
    name = path.name.removesuffix(".gz")
    found = form if form != "auto" else SUFFIXES.get(Path(name).suffix.lower())
    if found is None:
        raise UsageError(
            f"the form of {path} is unknown", cause="its suffix is none of .jsonl .csv .tsv .txt",
            try_=f"--manifest-format {'|'.join(NAMES[1:])}",
        )  # fmt: skip
    known = _settings(registry)
    if found in ("jsonl", "openai", "nemo", "lhotse"):
        return _json_lines(text, None if found == "jsonl" else FORMS[found], known, path.parent)
    if found == "txt":
        rows = [Row(numbered(at), line.strip(), line=at) for at, line in _lines(text) if line.strip()]
        return Manifest(rows, [], "txt")
    if found == "ljspeech" or (found == "csv" and _is_ljspeech(text)):
        return _ljspeech(text)
    return _table(text, "\t" if found == "tsv" else ",", found, known, path.parent)


AUDIO = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".m4a"})


def read_folder(folder: Path) -> Manifest:
    """A row for each recording in a folder, at any depth, to be transcribed; the id is its path, with dashes."""
    found = sorted(each for each in folder.rglob("*") if each.suffix.lower() in AUDIO and each.is_file())
    rows = []
    for path in found:
        name = path.relative_to(folder).with_suffix("").as_posix()
        rows.append(Row(name.replace("/", "-"), audio=path, out=f"{name}.txt"))
    return Manifest(rows, [], "folder")


def numbered(line: int) -> str:
    """The id of a row that has none: its line."""
    return f"{line:06d}"


def _settings(registry: Registry) -> frozenset[str]:
    """The fields of a row that are options or flags."""
    stages = ("ar", "nar")
    flags = by_key([*chain_options(stages), *flag_options(registry.samplers(), stages)])
    return frozenset((*(each.name for each in SpeechOptions.params()), *(key.replace("-", "_") for key in flags)))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(text.split("\n"), 1)


def _json_lines(text: str, form: Form | None, known: frozenset[str], folder: Path) -> Manifest:
    rows: list[Row] = []
    problems: list[Problem] = []
    for at, line in _lines(text):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(at, f"not valid JSON: {str(error).partition(';')[0]}"))
            continue
        if not isinstance(value, dict):
            problems.append(Problem(at, f"a row has to be an object, not {line.strip()[:40]}"))
            continue
        if form is None:
            form = form_of_json(value)
        _add(form, value, at, known, folder, rows, problems)
    return Manifest(rows, problems, "jsonl" if form is None else form.name)


def _table(text: str, delimiter: str, name: str, known: frozenset[str], folder: Path) -> Manifest:
    """A table with a header line; empty cells aren't there."""
    rows: list[Row] = []
    problems: list[Problem] = []
    lines = io.StringIO(text, newline="")
    if delimiter == ",":
        reader = csv.reader(lines, strict=True)
    else:  # a tab can't be in a cell, and a quotation mark is one
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True)
    header: list[str] | None = None
    at = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problems.append(Problem(max(at, reader.line_num), f"not a valid table: {error}"))
            break
        if header is None:
            header = [each.strip() for each in cells]
        elif any(each.strip() for each in cells):
            if len(cells) > len(header):
                problems.append(Problem(at, f"{len(cells)} cells, but the header has {len(header)}"))
            else:
                value: dict[str, Any] = {key: cell for key, cell in zip(header, cells, strict=False) if cell.strip()}
                for key in ("samplers", "nar_samplers", "normalizer", "scorer"):
                    if key in value:
                        value[key] = [each.strip() for each in value[key].split(";")]
                _add(FORMS["jsonl"], value, at, known, folder, rows, problems)
        at = reader.line_num + 1
    return Manifest(rows, problems, name)


def _is_ljspeech(text: str) -> bool:
    first = text.partition("\n")[0]
    return first.count("|") in (1, 2) and "," not in first.partition("|")[0]


def _ljspeech(text: str) -> Manifest:
    rows: list[Row] = []
    problems: list[Problem] = []
    for at, line in _lines(text):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("|")
        if len(cells) not in (2, 3):
            problems.append(Problem(at, f"expected id|text|normalized text, found {len(cells)} fields"))
            continue
        rows.append(Row(cells[0].strip(), cells[-1].strip() or cells[1].strip(), line=at))
    return Manifest(rows, problems, "ljspeech")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, none of whose values is lost. Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _add(
    form: Form, value: Mapping[str, Any], at: int, known: frozenset[str], folder: Path, rows: list[Row],
    problems: list[Problem],
) -> None:  # fmt: skip
    try:
        rows.append(form.row(value, at, known, folder))
    except Wrong as error:
        problems.extend(Problem(at, each) for each in error.reasons)


def _unpacked(path: Path) -> bytes:
    if path.suffix.lower() != ".gz":
        return read_whole(path, "the manifest", MOST_BYTES)
    try:
        with gzip.open(path) as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"can't read {path}", cause=getattr(error, "strerror", None) or str(error)) from error
    if len(data) > MOST_BYTES:
        cause = f"unpacked it holds more than {MOST_BYTES >> 20} MiB"
        raise InputError(f"{path} is too large", cause=cause, try_="several manifests")
    return data


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} isn't UTF-8", cause=f"line {line}, byte {error.start}", try_="iconv -f latin1 -t utf-8"
        ) from error
