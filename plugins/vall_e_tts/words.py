"""What the arguments of `vall-e tts` mean: text, references and output, from words or from flags."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import UsageError
from vall_e_text import MOST_TEXT_BYTES, decode_text, read_text

if TYPE_CHECKING:
    from .task import Source, Tts

STDIN = "-"


@dataclass(frozen=True)
class Words:
    """The text to speak, the reference files, and the output as it was written."""

    text: str
    references: tuple[Path, ...]
    output: str
    name: str = ""
    """The file that the text comes from, where it comes from one."""


def understand(task: Tts) -> Words:
    """Text, references and output of a run. Raises UsageError where one is missing, given twice or one too many."""
    word, references, words = material(task, behind=1 if task.output is None else 0)
    output = task.output
    if output is None and words:
        output = words.pop(0)
    if output is None:
        raise UsageError("no file to write", try_="TEXT REF OUT, or -o OUT.wav (- for standard output)")
    refuse(words, {"--voice": task.voice, "--ref": task.ref, "-o": task.output})
    return Words(text_of(task, word), references, output, name_of(task))


def material(task: Source, *, behind: int) -> tuple[str | None, tuple[Path, ...], list[str]]:
    """The argument with the text (None where a flag gives it), the references, and the arguments that are left.

    `behind` is how many arguments must be left. Raises UsageError where one is missing or given twice.
    """
    words = list(task.words)
    sources = [name for name, given in (("--text", task.text is not None), ("--file", task.file is not None)) if given]
    if len(sources) > 1:
        raise UsageError(f"{' and '.join(sources)} both give the text", try_="leave one out")
    if not sources and not words:
        raise UsageError("no text to speak", try_='vall-e tts "Hello." REF.wav OUT.wav')
    word = None if sources else words.pop(0)
    if word is not None and _is_file(word):
        raise UsageError(
            f"the text is the name of a file: {word}", cause="the order is TEXT REF OUT",
            try_=f"-f {word} to read the file, or --text {word} to speak the name",
        )  # fmt: skip
    references = [Path(each) for given in task.ref for each in split_references(given)]
    if task.voice is not None and references:
        raise UsageError("--voice and --ref both give the reference", try_="leave one out")
    if not references and task.voice is None:
        if len(words) <= behind:
            raise UsageError(
                f"no reference audio, or no output: one of them is {words[0]}" if words else "no reference audio",
                cause="a reference voice is needed",
                try_="TEXT REF OUT, --ref FILE, or --voice NAME",
            )
        references = [Path(each) for each in split_references(words.pop(0))]
    return word, tuple(references), words


def _is_file(word: str) -> bool:
    """Whether a word names a file that is there, rather than being a text."""
    try:
        return Path(word).suffix != "" and os.path.isfile(word)
    except ValueError:
        return False


def refuse(words: Sequence[str], instead: Mapping[str, object]) -> None:
    """Arguments that nothing takes; `instead` are flags that take the place of one. Raises UsageError."""
    if words:
        given = [name for name, value in instead.items() if value]
        takes = "take" if len(given) > 1 else "takes"
        raise UsageError(
            f"too many arguments: {words[0]!r}",
            cause=f"{' and '.join(given)} {takes} the place of an argument" if given else None,
            try_="quote a text that has spaces; vall-e tts --help",
        )


def split_references(word: str) -> list[str]:
    """`a.wav;b.wav` as two names; a file whose own name holds a semicolon is one."""
    if ";" not in word or os.path.lexists(word):
        return [word]
    return [part.strip() for part in word.split(";") if part.strip()]


def text_of(task: Source, word: str | None) -> str:
    """The text itself, read from where it is. Raises InputError where it can't be read."""
    if task.file is not None and str(task.file) != STDIN:
        return read_text(task.file)
    if task.file is not None or word == STDIN:
        data = sys.stdin.buffer.read(MOST_TEXT_BYTES + 1)
        return decode_text(data, "standard input", try_="iconv -f latin1 -t utf-8 FILE | vall-e …")
    return checked(task.text if word is None and task.text is not None else word or "")


def name_of(task: Source) -> str:
    """The file that the text is read from; empty where it is read from none."""
    return "" if task.file is None or str(task.file) == STDIN else str(task.file)


def checked(word: str) -> str:
    """A text from the command line, where bytes that are no text come as lone surrogates. Raises InputError."""
    try:
        data = word.encode("utf-8", "surrogateescape")
        return decode_text(data, "the text", try_="a terminal that is set to UTF-8, or -f FILE")
    except UnicodeEncodeError:  # escapes in a YAML file can make others; they are left out
        return word
