"""Marks within a text: `[voice:NAME]`, `[pause:2s]`, and quotation marks around what somebody says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vall_e_core import UsageError

_VOICE = re.compile(r"\[voice:([^\[\]\n]{0,80})\]", re.IGNORECASE)
_PAUSE = re.compile(r"\[pause:[^\[\]\n]{0,40}\]", re.IGNORECASE)
_QUOTES = re.compile(r"“[^“”]*(?:”|$)|«[^«»]*(?:»|$)|„[^„“”]*(?:[“”]|$)|(?<!\w)\"[^\"]*(?:\"(?!\w)|$)")
_ENDS = re.compile(r"[.!?,;:…—–-][\"”»“]?$")
_CLOSING = "”\"»“"
NARRATOR = ("", "default", "narrator")
"""What `[voice:…]` names to go back to the voice of the chapter."""


@dataclass(frozen=True)
class Stretch:
    """Words of one speaker. `voice` None is the chapter's."""

    text: str
    voice: str | None = None


def stretches(text: str, voice: str | None, quote_voice: str | None) -> tuple[list[Stretch], str | None]:
    """A paragraph by speakers, and who speaks after it: a `[voice:NAME]` holds until the next one in its chapter.

    Args:
        text: the paragraph.
        voice: who speaks at its beginning, by earlier marks; None is the chapter's voice.
        quote_voice: who speaks what stands in double quotation marks, where no mark names somebody; None: nobody else.
    """
    found: list[Stretch] = []
    pieces = _VOICE.split(text)
    for at, piece in enumerate(pieces):
        if at % 2:
            name = piece.strip()
            voice = None if name.lower() in NARRATOR else name
        elif voice is None and quote_voice is not None:
            found += _quoted(piece, quote_voice)
        elif piece.strip():
            found.append(Stretch(piece.strip(), voice))
    return list(_joined(found)), voice


def plain(text: str) -> str:
    """A text without marks, for titles."""
    return " ".join(_PAUSE.sub("", _VOICE.sub("", text)).split())


def is_silent(text: str) -> bool:
    """Whether there is nothing to say but pauses."""
    return not any(map(str.isalnum, _PAUSE.sub("", text)))


def silence(text: str) -> float:
    """The seconds of all pauses in a text. Raises InputError for one without a length, or that is too long."""
    from vall_e_text import Pause, read

    return sum(each.seconds for each in read(text, markup="text").pieces if isinstance(each, Pause))


def check_pauses(text: str, where: str) -> None:
    """That every pause in a text can be made. Raises UsageError that says where it is."""
    from vall_e_core import InputError

    if _PAUSE.search(text):
        try:
            silence(text)
        except InputError as error:
            raise UsageError(f"{where}: {error.message}", cause=error.cause, try_=error.try_) from error


def _quoted(text: str, voice: str) -> Iterator[Stretch]:
    """Narration and speech by turns. Words in quotation marks that aren't speech stay with the narrator."""
    done = 0
    for match in _QUOTES.finditer(text):
        said = match.group()
        follows = text[match.end() :].lstrip()[:1]
        ended = len(said) > 1 and said[-1] in _CLOSING
        if ended and not (_ENDS.search(said) or follows == "," or len(said.split()) > 3):
            continue
        yield Stretch(text[done : match.start()].strip(" ,"))
        yield Stretch(said.strip(), voice)
        done = match.end()
    yield Stretch(text[done:].strip(" ,") if done else text.strip())


def _joined(found: list[Stretch]) -> Iterator[Stretch]:
    """Stretches that say something; what lies between them and says nothing stays with the one before."""
    last: Stretch | None = None
    for each in found:
        if not each.text:
            continue
        if last is not None and (each.voice == last.voice or (is_silent(each.text) and not _PAUSE.search(each.text))):
            last = Stretch(f"{last.text} {each.text}", last.voice)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
