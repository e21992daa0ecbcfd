"""Text as espeak-ng can take it without losing any: it drops, silently, what overflows its fixed buffers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

CALL_LIMIT = 1000
"""Characters given to the library at a time: bounds the time and memory of one call."""
DENSE_CALL_LIMIT = 150
"""The same where single characters are words, as in Chinese: more than about 200 words of a clause are lost."""
_WORD_BYTES = 80  # it loses what is beyond about 130
_CJK_WORD_BYTES = 300
_DIGITS = 24  # it reads numbers up to here, and loses digits beyond about 27

_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200b\u2028\u2029\ufeff]+")
_FULL_WIDTH = str.maketrans(
    {
        "。": ". ", "｡": ". ", "，": ", ", "、": ", ", "！": "! ", "？": "? ", "；": "; ", "：": ": ",
        "（": " (", "）": ") ", "「": " “", "」": "” ", "『": " “", "』": "” ", "《": " “", "》": "” ",
    }
)  # fmt: skip
_LONG_DIGITS = re.compile(rf"\d{{{_DIGITS + 1},}}")
_LETTER_A = re.compile(r"(?<=\b[A-Z]-)A\b(?!['’])|(?<=[a-z] )A\b(?!['’]|\s+[A-Z]|-[a-z])|\bA(?= [A-Z] [A-Z]\b)")
_SPACES = re.compile(r"\s+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_DENSE = re.compile(_CJK.pattern + r"|(?:\S ){40}")
_MARK = (
    r"[;!?¡¿—…\"«»“”(){}\[\]؟،؛।۔]"
    r"|[,:–](?!\d)|(?<!\d)[,:–]"  # not within 1,234, 10:45 or 3–4
    r"|\.(?!\w)|(?<=[a-z])\.(?=[A-Z][a-z])"  # not within 2.5, U.S. or example.com, but where a blank was forgotten
)
_MARKS = re.compile(rf"(?:\s*(?:{_MARK}))+\s*")


def prepare(text: str) -> str:
    """NFC on one line; full-width punctuation as the ASCII marks that models know; nothing that overflows a word."""
    text = unicodedata.normalize("NFC", _UNSPEAKABLE.sub(" ", text)).translate(_FULL_WIDTH)
    text = _LONG_DIGITS.sub(lambda match: f" {' '.join(match.group())} ", text)
    return " ".join(piece for word in _SPACES.split(text) if word for piece in _fitting(word))


def name_letter_a(text: str) -> str:
    """English with the letter A as it sounds where the library would read an article: `C-I-A`, `vitamin A is`."""
    return _LETTER_A.sub("eh", text)


def chunks(text: str) -> Iterator[str]:
    """`text` in parts of at most `CALL_LIMIT` characters, cut at spaces (of which `prepare` leaves enough)."""
    limit = DENSE_CALL_LIMIT if _DENSE.search(text) else CALL_LIMIT
    start = 0
    while len(text) - start > limit:
        cut = text.rfind(" ", start + 1, start + limit + 1)
        cut = cut if cut > start else start + limit
        yield text[start:cut].strip()
        start = cut
    yield text[start:].strip()


def cut_at_marks(text: str) -> tuple[list[str], list[str]]:
    """What stands between the marks of a text, and the marks with the blanks around them: one fewer.

    The phonemizer package would cut a line where it finds a mark's first occurrence, which may lie inside a number.
    """
    matches = list(_MARKS.finditer(text))
    starts = [0, *(match.end() for match in matches)]
    ends = [*(match.start() for match in matches), len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)], [match.group() for match in matches]


def katakana_to_hiragana(text: str) -> str:
    """The same syllables in the script that espeak-ng's Japanese reads."""
    return "".join(chr(ord(char) - 0x60) if "\u30a1" <= char <= "\u30f6" else char for char in text)


def has_han(text: str) -> bool:
    """Whether there is a Chinese character (kanji, hanzi) in it."""
    return re.search("[\u3400-\u9fff\uf900-\ufaff]", text) is not None


def _fitting(word: str) -> Iterator[str]:
    """Pieces of a word, each short enough for the library's buffers; a combining mark stays with its letter."""
    limit = _CJK_WORD_BYTES if _CJK.search(word) else _WORD_BYTES
    if len(word) * 4 <= limit:
        yield word
        return
    piece: list[str] = []
    size = 0
    for char in word:
        width = len(char.encode("utf-8"))
        if size + width > limit and not unicodedata.combining(char):
            yield "".join(piece)
            piece, size = [], 0
        piece.append(char)
        size += width
    yield "".join(piece)
