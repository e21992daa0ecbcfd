"""Text as it comes, in normal form: decoding files, odd characters, wrapped lines, markup.

Everything here takes time in proportion to the text's length, whatever is in it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .errors import InputError

_CONTROL = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 and C1, but not tab, line ends and NEL
    "\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069"  # direction
    "\u200b\u2060-\u2064\ufeff\u00ad\u180e\ufff9-\ufffb"  # invisible
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # not characters
)
_REMOVED = re.compile(f"[{_CONTROL}]")
_JOINERS = re.compile("(?<![\u0600-\u0dff])[\u200c\u200d]")  # they spell words in Arabic and Indic scripts only
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_VARIANT = re.compile("[\uff01-\uff5e①-⓿❶-➓⅐-⅒⅓-⅞]")  # wide, circled; fractions but ½ ¼ ¾, which are read
_FRACTION_BAR = "\u2044"
WRAPPED_FROM = 50
"""Characters: text is wrapped at no less."""
_BLANKS = re.compile(r"[^\S\n]+")
_AROUND_LINE_END = re.compile(r" ?\n ?")

_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_TAG = re.compile(r"<[^<>]{0,2000}>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))


@dataclass(frozen=True)
class CleanText:
    """`text` in normal form. `removed`: how many characters that can't be spoken or seen were taken out."""

    text: str
    removed: int


def decode_text(data: bytes, source: str) -> str:
    """A file's bytes as text: UTF-8, or UTF-16 where a byte-order mark says so.

    Raises InputError that names the first byte that isn't.
    """
    bom, encoding = next((each for each in _BYTE_ORDER_MARKS if data.startswith(each[0])), (b"", "utf-8"))
    try:
        return data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        offset = error.start + len(bom)
        raise InputError(
            f"{source} isn't {encoding.upper()} text: byte 0x{data[offset]:02X} at offset {offset}",
            cause="it is in another encoding, or no text",
            try_=f"iconv -f latin1 -t utf-8 {source}",
        ) from error


def read_text(path: str | Path) -> str:
    """A text file, decoded. Raises InputError."""
    try:
        if not Path(path).is_file():
            raise InputError(f"{path} is not a file" if Path(path).exists() else f"no such text file: {path}")
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"can't read {path}", cause=getattr(error, "strerror", None) or str(error)) from error
    return decode_text(data, str(path))


def clean_text(text: str) -> CleanText:
    """NFC, full-width and circled characters as ordinary ones, line ends as \\n, runs of blanks as one space, and
    nothing that is neither seen nor spoken.

    Control characters, direction marks, zero-width characters and lone surrogates are removed and counted. Words are
    left as they are.
    """
    text = _LINE_END.sub("\n", text)
    text, controls = _REMOVED.subn("", text)
    text, joiners = _JOINERS.subn("", text)
    text = unicodedata.normalize("NFC", _VARIANT.sub(_ordinary, text))
    text = _AROUND_LINE_END.sub("\n", _BLANKS.sub(" ", text)).strip()
    return CleanText(text, controls + joiners)


def _ordinary(match: re.Match[str]) -> str:
    """What a variant of ordinary characters stands for, apart from what is next to it: 3⅛ is 3 1/8."""
    found = unicodedata.normalize("NFKC", match.group()).replace(_FRACTION_BAR, "/")
    if "\uff01" <= match.group() <= "\uff5e":
        return found
    text, start, end = match.string, match.start(), match.end()
    beside = text[max(start - 1, 0) : start], text[end : end + 1]
    before, behind = (" " if char.isalnum() else "" for char in beside)
    return f"{before}{found}{behind}"


def unwrapped(text: str) -> str:
    """Normalised text without the line ends that only keep lines short: those of a paragraph in which the first word of
    no line had room on the line before, and some line begins with a small letter. Lists, verse and headlines stay."""
    return "\n\n".join(_unwrapped(paragraph) for paragraph in re.split(r"\n{2,}", text))


def _unwrapped(paragraph: str) -> str:
    lines = paragraph.split("\n")
    width = max(map(len, lines))
    if width < WRAPPED_FROM or not any(line[:1].islower() for line in lines[1:]):
        return paragraph
    full = all(
        line.endswith("-") or len(line) + 1 + len(after.split(" ", 1)[0]) > width for line, after in pairwise(lines)
    )  # fmt: skip
    return re.sub(r"(?<=\w)-\n", "-", paragraph).replace("\n", " ") if full else paragraph


def strip_markup(text: str) -> str:
    """Without what looks like XML or SSML tags, and with the five predefined entities as characters.

    Nothing is parsed, expanded or fetched.
    """
    return _ENTITY.sub(lambda match: _ENTITIES[match.group()], _TAG.sub(" ", text))
