"""Plain text as blocks: paragraphs between empty lines, headings by `#` or by their form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .page import Block

_MARKED = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*#*$")
_NUMBER = (
    r"(?:\d{1,3}|[ivxlc]{1,8}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif)ty(?:-\w+)?|the \w+)"
)
_CHAPTER = re.compile(
    rf"(?:chapter|book|part|volume|canto|act|scene|letter|kapitel|teil|chapitre|cap[ií]tulo)\s+{_NUMBER}\b[.:]?"
    r"(?:\s*[-–—:.]?\s*\S.*)?"
    r"|(?:prologue|epilogue|preface|foreword|introduction|afterword|conclusion|appendix)\b[.:]?(?:\s+\w+)?"
    r"|(?-i:[IVXLC]{1,8}\.?\s+[A-Z][A-Z '’,-]*)",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})\.?")
_LONGEST_HEADING = 80
_RULE = re.compile(r"[ \t]*(?:[-*_=~#•]\s*){3,}|[ \t]*[⁂❦☙*]")
_LONG, _WIDE = 5000, 100


def read_plain(text: str, *, marked: bool = False) -> list[Block]:
    """The blocks of a plain text.

    A heading is a line that begins with `#`, or stands alone and reads like `Chapter 3`, `PROLOGUE` or `IV.`. If any
    line begins with `# `, or `marked` says so, nothing else is a heading. A line of asterisks or dashes separates
    sections.
    """
    lines = [line.rstrip() for line in text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    marked = marked or any(_MARKED.match(line) and line.startswith("# ") for line in lines)
    found: list[Block] = []
    ruled = False
    for block in _paragraphs(lines):
        if len(block) == 1 and _RULE.fullmatch(block[0]):
            ruled = True
            continue
        for part, level in _split(block, marked=marked):
            found.append(Block(part, level, rule=ruled))
            ruled = False
    return found


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines. Where empty lines are missing, and lines are long, each line is a paragraph."""
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.strip())
        elif block:
            size = sum(map(len, block))
            if len(block) > 1 and size > _LONG and size / len(block) > _WIDE:
                yield from ([each] for each in block)
            else:
                yield block
            block = []


def _split(block: list[str], *, marked: bool) -> Iterator[tuple[str, int]]:
    """A run of lines as headings and what is between them, each with its level."""
    rest: list[str] = []
    for line in block:
        match = _MARKED.match(line)
        if match is None:
            rest.append(line)
            continue
        if rest:
            yield "\n".join(rest), 0
            rest = []
        yield match.group(2), len(match.group(1))
    if rest:
        text = "\n".join(rest)
        yield text, 0 if marked or not _is_heading(rest) else 1


def _is_heading(lines: list[str]) -> bool:
    text = " ".join(lines)
    if len(text) > _LONGEST_HEADING or len(lines) > 3 or text.endswith((",", ";")):
        return False
    if _ROMAN.fullmatch(text):
        return True
    return _CHAPTER.fullmatch(text) is not None and not (text.endswith(".") and " " in text and text[-2:-1].islower())
