"""What the arguments of `vall-e tts` mean: text, references and output, from words or from flags."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import UsageError, decode_text, read_text

if TYPE_CHECKING:
    from . import Tts

STDIN = "-"


@dataclass(frozen=True)
class Words:
    """The text to speak, the reference files, and the output as it was written."""

    text: str
    references: tuple[Path, ...]
    output: str


def understand(task: Tts) -> Words:
    """Text, references and output of a run. Raises UsageError where one is missing, given twice or one too many."""
    words = list(task.words)
    sources = [name for name, given in (("--text", task.text is not None), ("--file", task.file is not None)) if given]
    if len(sources) > 1:
        raise UsageError(f"{' and '.join(sources)} both give the text", try_="leave out one")
    if not sources and not words:
        raise UsageError("no text to speak", try_='vall-e tts "Hello." REF.wav OUT.wav')
    text_word = None if sources else words.pop(0)
    references = [Path(each) for word in task.ref for each in split_references(word)]
    if task.voice is not None and references:
        raise UsageError("--voice and --ref both give the reference", try_="leave out one")
    if not references and task.voice is None:
        if not words or (len(words) == 1 and task.output is None):
            raise UsageError(
                "no reference audio",
                cause="a voice to speak with is needed",
                try_="TEXT REF OUT, --ref FILE, or --voice NAME",
            )
        references = [Path(each) for each in split_references(words.pop(0))]
    output = task.output
    if output is None and words:
        output = words.pop(0)
    if output is None:
        raise UsageError("no file to write", try_="TEXT REF OUT, or -o OUT.wav (- for standard output)")
    if words:
        given = [name for name, on in (("--voice", task.voice), ("--ref", task.ref), ("-o", task.output)) if on]
        raise UsageError(
            f"one argument too many: {words[0]!r}",
            cause=f"{' and '.join(given)} takes the place of an argument" if given else None,
            try_="quote a text that has spaces; vall-e tts --help",
        )
    return Words(_text(task, text_word), tuple(references), output)


def split_references(word: str) -> list[str]:
    """`a.wav;b.wav` as two names; a file whose own name holds a semicolon is one."""
    if ";" not in word or os.path.lexists(word):
        return [word]
    return [part.strip() for part in word.split(";") if part.strip()]


def _text(task: Tts, word: str | None) -> str:
    if task.file is not None and str(task.file) != STDIN:
        return read_text(task.file)
    if task.file is not None or word == STDIN:
        return decode_text(sys.stdin.buffer.read(), "standard input")
    return task.text if word is None and task.text is not None else word or ""
