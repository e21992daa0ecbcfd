"""Subtitles of a book: SubRip, WebVTT and JSON. Sentences are as long as their samples; words are estimated."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vall_e_text import estimate_seconds

WIDTH = 42
"""Characters of a line of subtitles, at most; longer words stand alone."""


@dataclass(frozen=True)
class Cue:
    """A part of the text and where it is heard, in samples from the beginning of the book."""

    start: int
    end: int
    text: str
    chapter: int
    verdict: str
    line: str
    """The id of its line."""


def as_srt(cues: Iterable[Cue], rate: int) -> Iterator[str]:
    """SubRip, a piece for each cue, numbered from 1."""
    for number, cue in enumerate(cues, 1):
        times = f"{_time(cue.start, rate, ',')} --> {_time(cue.end, rate, ',')}"
        yield f"{number}\n{times}\n{_wrapped(cue.text)}\n\n"


def as_vtt(cues: Iterable[Cue], rate: int) -> Iterator[str]:
    """WebVTT, a piece for its beginning and each cue."""
    yield "WEBVTT\n\n"
    for number, cue in enumerate(cues, 1):
        times = f"{_time(cue.start, rate, '.')} --> {_time(cue.end, rate, '.')}"
        text = _wrapped(cue.text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield f"{number}\n{times}\n{text}\n\n"


def as_json(cues: Iterable[Cue], rate: int) -> Iterator[Mapping[str, Any]]:
    """A mapping for each cue, with its words. Their times are estimated, and say so."""
    for number, cue in enumerate(cues, 1):
        yield {
            "number": number, "chapter": cue.chapter, "start": round(cue.start / rate, 4),
            "end": round(cue.end / rate, 4), "text": cue.text, "verdict": cue.verdict,
            "words": [
                {"text": word, "start": round(start / rate, 3), "end": round(end / rate, 3), "estimated": True}
                for word, start, end in _words(cue)
            ],
        }  # fmt: skip


def _words(cue: Cue) -> Iterator[tuple[str, int, int]]:
    """Words share the time of their sentence by how long they usually take."""
    words: Sequence[str] = cue.text.split()
    weights = [estimate_seconds(each) or 0.01 for each in words]
    total, done = sum(weights), 0.0
    for word, weight in zip(words, weights, strict=True):
        start = cue.start + round((cue.end - cue.start) * done / total)
        done += weight
        yield word, start, cue.start + round((cue.end - cue.start) * done / total)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _time(sample: int, rate: int, point: str) -> str:
    milliseconds = sample * 1000 // rate
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
