"""Text as it comes, in one form: decoding files, odd characters, blanks.

Everything here takes time in proportion to the text's length, whatever is in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import InputError, Replacement

from .pieces import Words, cut, joined, replaced

_CONTROL = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 and C1, but not tab, line ends and NEL
    "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"  # direction
    "\u200b\u2060-\u2064\ufeff\u00ad\u180e\u034f\u115f\u1160\u3164\uffa0\ufff9-\ufffb"  # invisible
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # not characters
)
_JOINERS = "(?<![\u0600-\u0dff])[\u200c\u200d]"  # they spell words in Arabic and Indic scripts only
_VARIATION = "[\u20e3\ufe00-\ufe0f\U000e0000-\U000e007f\U000e0100-\U000e01ef]"  # how a character is drawn
_STRUCK = "(?<=[^\\W\\d_])[\u0334-\u0338]+"  # letters drawn with a line through them
_TERMINAL = "\x1b\\[[0-?]{0,30}[ -/]{0,3}[@-~]"  # colors and the like
_REMOVED = re.compile(f"{_TERMINAL}|[{_CONTROL}]+|{_VARIATION}+|{_JOINERS}|{_STRUCK}")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_DISGUISED = re.compile(
    "[\uff01-\uff5e①-⓿❶-➓⅐-⅒⅓-⅞"  # wide, circled; fractions but ½ ¼ ¾, which are read
    "\U0001d400-\U0001d7ff\u2102-\u2139\u213c-\u2149\u2160-\u217f"  # mathematical, letter-like, Roman numerals
    "\ufb00-\ufb06\ufb13-\ufb17\u0132\u0133\u01c4-\u01cc\u01f1-\u01f3\u0149\u017f"  # ligatures, the long s
    "\u3371-\u337a\u3380-\u33dd\U0001f130-\U0001f149]"  # in a square
)
_LOOKS = ("<font>", "<wide>", "<square>")
"""Kinds of compatibility character that differ from ordinary ones in their looks alone."""
_MAY_COMPOSE = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
_FRACTION_BAR = "\u2044"
_BLANKS = re.compile("(?P<grouping>(?<=\\d)[\u00a0\u2009\u202f](?=\\d{3}(?!\\d)))|[^\\S\\n]+")
_GROUPING = "\u202f"
"""The blank between groups of digits, which keeps a number together: 10 000."""
_AROUND_LINE_END = re.compile(r"[ \t]?\n[ \t]?")

_NO_TEXTS = tuple(
    (re.compile(begins, re.DOTALL), kind, advice)
    for begins, kind, advice in (
        (rb"%PDF-", "a PDF document", "pdftotext FILE - | vall-e tts -f - …"),
        (rb"PK\x03\x04", "a document or an archive (ZIP)", "pandoc FILE -t plain | vall-e tts -f - …"),
        (rb"\{\\rtf", "an RTF document", "pandoc FILE -t plain | vall-e tts -f - …"),
        (rb"\xd0\xcf\x11\xe0", "an Office document", "save it as plain text"),
        (rb"RIFF....WAVE|fLaC\0|OggS\0|ID3[\x02-\x04]|FORM....AIF|....ftyp", "a recording", "vall-e stt FILE"),
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", "a program for text recognition (OCR)"),
        (rb"\x1f\x8b", "a packed file", "gunzip -c FILE | vall-e tts -f - …"),
    )
)
"""What files that are no texts begin with, what they are, and what to do."""
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class CleanText:
    """`text` in one form. `removed`: how many characters that can't be spoken or seen were taken out."""

    text: str
    removed: int


MOST_TEXT_BYTES = 1 << 24
"""Of a text: the longest novels have a third of it, and hundreds of hours of speech come of it."""


def decode_text(data: bytes, source: str, *, try_: str | None = None) -> str:
    """Bytes as text: UTF-8, or UTF-16 where a byte-order mark says so.

    Args:
        source: what they are, such as a file's name.
        try_: what to do about bytes that are no text, where `source` is no file that could be converted.

    Raises InputError that names the first byte that isn't, or what the bytes are if that is known.
    """
    if len(data) > MOST_TEXT_BYTES:
        raise InputError(
            f"{source} is too large for a text", cause=f"it holds more than {MOST_TEXT_BYTES >> 20} MiB",
            try_="split it into chapters",
        )  # fmt: skip
    for begins, kind, advice in _NO_TEXTS:
        if begins.match(data):
            raise InputError(f"{source} is {kind}, not a text", try_=advice.replace("FILE", source))
    bom, encoding = next((each for each in _BYTE_ORDER_MARKS if data.startswith(each[0])), (b"", "utf-8"))
    if not bom and b"\0" in data:
        raise InputError(
            f"{source} isn't a text: byte 0x00 at offset {data.index(0)}",
            cause="it is a binary file, or UTF-16 without a byte-order mark",
            try_=f"iconv -f utf-16le -t utf-8 {source}" if try_ is None else try_,
        )  # fmt: skip
    try:
        return data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        offset = error.start + len(bom)
        raise InputError(
            f"{source} isn't {encoding.upper()} text: byte 0x{data[offset]:02X} at offset {offset}",
            cause="it is in another encoding, or no text",
            try_=f"iconv -f latin1 -t utf-8 {source}" if try_ is None else try_,
        ) from error


def read_text(path: str | Path) -> str:
    """A text file, decoded. Raises InputError."""
    try:
        if not Path(path).is_file():
            raise InputError(f"{path} is not a file" if Path(path).exists() else f"no such text file: {path}")
        with open(path, "rb") as file:
            data = file.read(MOST_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {path}", cause=getattr(error, "strerror", None) or str(error)) from error
    return decode_text(data, str(path))


def clean_text(text: str) -> CleanText:
    """NFC, letters and digits in disguise (full-width, mathematical, ligatures, circled) as ordinary ones, line ends as
    \\n, runs of blanks as one space (a blank that keeps the digits of a number together as U+202F), and nothing that is
    neither seen nor spoken.

    Control characters, direction marks, zero-width characters and lone surrogates are removed and counted. Words are
    left as they are.
    """
    words, removed = cleaned((Words(text, 0, len(text)),))
    return CleanText(joined(words), removed)


def cleaned(words: Sequence[Words], *, keep_tabs: bool = False) -> tuple[tuple[Words, ...], int]:
    """The same for a run of words, whose places stay known: what is left, and how many characters were removed.

    `keep_tabs`: blanks with a tab among them become a tab, for it may stand between the cells of a table.
    """
    text = joined(words)
    if text.isascii() and text.isprintable() and "  " not in text:
        return trimmed(words), 0
    removed = 0
    blanks = _blanks_and_tabs if keep_tabs else _blanks
    for change in (_line_ends, _unseen, _ordinary_characters, _composed, blanks, _line_edges):
        replacements = list(change(joined(words)))
        if change is _unseen:
            removed = sum(each.end - each.start for each in replacements)
        if replacements:
            words = replaced(words, replacements, cleaning=True)
    return trimmed(words), removed


def trimmed(words: Sequence[Words]) -> tuple[Words, ...]:
    """Without blanks at the ends."""
    text = joined(words)
    if text == text.strip():
        return tuple(words)
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if end <= start:
        return ()
    _, kept, _ = cut(words, (start, end))
    return kept


def _line_ends(text: str) -> Iterator[Replacement]:
    return _replacements(_LINE_END, text, "\n")


def _unseen(text: str) -> Iterator[Replacement]:
    return _replacements(_REMOVED, text, "")


def _blanks(text: str) -> Iterator[Replacement]:
    return _one_blank(text, keep_tabs=False)


def _blanks_and_tabs(text: str) -> Iterator[Replacement]:
    return _one_blank(text, keep_tabs=True)


def _one_blank(text: str, *, keep_tabs: bool) -> Iterator[Replacement]:
    for match in _BLANKS.finditer(text):
        instead = _GROUPING if match["grouping"] else "\t" if keep_tabs and "\t" in match.group() else " "
        if match.group() != instead:
            yield Replacement(match.start(), match.end(), instead)


def _line_edges(text: str) -> Iterator[Replacement]:
    return _replacements(_AROUND_LINE_END, text, "\n")


def _replacements(pattern: re.Pattern[str], text: str, instead: str) -> Iterator[Replacement]:
    for match in pattern.finditer(text):
        if match.group() != instead:
            yield Replacement(match.start(), match.end(), instead)


def _composed(text: str) -> Iterator[Replacement]:
    if unicodedata.is_normalized("NFC", text):
        return
    for match in _MAY_COMPOSE.finditer(text):
        if not unicodedata.is_normalized("NFC", match.group()):
            yield Replacement(match.start(), match.end(), unicodedata.normalize("NFC", match.group()))


def _ordinary_characters(text: str) -> Iterator[Replacement]:
    for match in _DISGUISED.finditer(text):
        found = _ordinary(match)
        if found != match.group():
            yield Replacement(match.start(), match.end(), found)


def _ordinary(match: re.Match[str]) -> str:
    """What a variant of ordinary characters stands for, apart from what is next to it: 3⅛ is 3 1/8."""
    char = match.group()
    kind = unicodedata.decomposition(char).partition(" ")[0]
    found = unicodedata.normalize("NFKC", char).replace(_FRACTION_BAR, "/")
    if kind in _LOOKS or (kind == "<compat>" and found.isalpha() and char != "№"):
        return found
    if kind not in ("<circle>", "<fraction>") and not "❶" <= char <= "➓":
        return char
    text, start, end = match.string, match.start(), match.end()
    beside = text[max(start - 1, 0) : start], text[end : end + 1]
    before, behind = (" " if char.isalnum() else "" for char in beside)
    return f"{before}{found}{behind}"
