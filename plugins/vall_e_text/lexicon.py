"""How single words are said: a file of words, each with a respelling or its IPA."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from vall_e_core import InputError

from .assembly import Found, assembled
from .cleaning import clean_text, read_text
from .pieces import IPA, Piece, Words, joined, runs

_TOKEN = re.compile(r"\w+|[^\w\s]")
_IPA = re.compile(r"/([^/]+)/")
LARGEST = 32 << 20
"""Bytes."""


class Lexicon:
    """Words, and what is said for them: `/ɪpə/` or a respelling.

    A word in small letters stands for the word in any case, one with capitals for itself alone.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = dict(entries)
        lengths: dict[str, set[int]] = {}
        for word in entries:
            tokens = _TOKEN.findall(word)
            lengths.setdefault(tokens[0].lower(), set()).add(len(tokens))
        self._lengths = {first: sorted(counts, reverse=True) for first, counts in lengths.items()}
        """How many tokens entries have that begin with a token, the longest first."""

    @classmethod
    def of(cls, entries: Mapping[str, str]) -> Lexicon:
        """From words as somebody wrote them. Raises InputError that names the word which can't be used."""
        return _checked((f"the lexicon, {written[:60]}", written, said) for written, said in entries.items())

    def apply(self, pieces: Iterable[Piece]) -> tuple[Piece, ...]:
        """The pieces with its words said as it says."""
        made: list[Piece] = []
        for run in runs(pieces):
            words = [each for each in run if isinstance(each, Words)]
            found = list(self._found(joined(words)))
            made += assembled(words, found) if found else run
        return tuple(made)

    def _found(self, text: str) -> Iterator[Found]:
        tokens = list(_TOKEN.finditer(text))
        done = 0
        for at, token in enumerate(tokens):
            for count in self._lengths.get(token.group().lower(), ()):
                if at < done or at + count > len(tokens):
                    continue
                start, end = token.start(), tokens[at + count - 1].end()
                there = " ".join(text[start:end].split())
                said = self.entries.get(there, self.entries.get(there.lower()))
                if said is not None:
                    yield Found(start, end, _said(said))
                    done = at + count


def _said(instead: str) -> Callable[[int, int, str], Piece]:
    ipa = _IPA.fullmatch(instead)

    def made(start: int, end: int, written: str) -> Piece:
        return IPA(ipa.group(1).strip(), start, end, written) if ipa else Words(instead, start, end, written)

    return made


def read_lexicon(path: Path) -> Lexicon:
    """A file of words: TSV (a word, a tab, what is said), or YAML (`.yaml`, `.yml`; word: what is said).

    Raises InputError that names the line or word which can't be used.
    """
    found = path.expanduser()
    if found.is_file() and found.stat().st_size > LARGEST:
        raise InputError(f"the lexicon is too large: {path}", cause=f"more than {LARGEST >> 20} MB")
    text = read_text(found)
    pairs = _from_yaml(text, path) if found.suffix.lower() in (".yaml", ".yml") else _from_tsv(text, path)
    return _checked(pairs)


def _checked(pairs: Iterable[tuple[str, str, str]]) -> Lexicon:
    """A lexicon of words and what is said for them, each with where it stands. Raises InputError."""
    entries: dict[str, str] = {}
    for where, written, said in pairs:
        word, instead = " ".join(clean_text(written).text.split()), " ".join(clean_text(said).text.split())
        if not any(map(str.isalnum, word)):
            raise InputError(f"{where}: no word: {written!r}")
        if not instead or (instead.startswith("/") and not _IPA.fullmatch(instead)):
            raise InputError(f"{where}: not a pronunciation: {said!r}", try_="a respelling, or /IPA/ between slashes")
        if word in entries:
            raise InputError(f"{where}: {word} is given twice")
        entries[word] = instead
    return Lexicon(entries)


def _from_tsv(text: str, path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        word, tab, said = line.partition("\t")
        if not tab:
            raise InputError(f"{path}, line {number}: no tab: {line[:60]!r}", try_="word, a tab, respelling or /IPA/")
        yield f"{path}, line {number}", word, said


def _from_yaml(text: str, path: Path) -> Iterator[tuple[str, str, str]]:
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise InputError(f"{path}: a lexicon has no aliases (*)")
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{path}: not YAML", cause=" ".join(str(error).split())[:200]) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a lexicon", try_="word: respelling or /IPA/, one a line")
    for word, said in value.items():
        if not isinstance(word, str) or not isinstance(said, str):
            raise InputError(f"{path}: {word!r}: {said!r} isn't text", try_="quote it")
        yield f"{path}, {word}", word, said
