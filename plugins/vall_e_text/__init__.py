"""Text as somebody types it, as pieces that can be spoken: words, pronunciations, pauses and stops.

A library, not a plugin: it registers nothing.
"""

from __future__ import annotations

from .cleaning import MOST_TEXT_BYTES, CleanText, clean_text, decode_text, read_text
from .lexicon import Lexicon, read_lexicon
from .normalizing import normalized
from .pieces import IPA, Pause, Piece, Spoken, Stop, Words, joined, replaced, runs, shown, written
from .punctuation import begun, known_punctuation, with_stop
from .reading import MARKUP, Reading, read, settle_markup
from .segments import CLOSING, Segment, require_speech, split, whole
from .sentences import detect_script, estimate_seconds, sentences

__all__ = [
    "CLOSING",
    "IPA",
    "MARKUP",
    "MOST_TEXT_BYTES",
    "CleanText",
    "Lexicon",
    "Pause",
    "Piece",
    "Reading",
    "Segment",
    "Spoken",
    "Stop",
    "Words",
    "begun",
    "clean_text",
    "decode_text",
    "detect_script",
    "estimate_seconds",
    "joined",
    "known_punctuation",
    "normalized",
    "read",
    "read_lexicon",
    "read_text",
    "replaced",
    "require_speech",
    "runs",
    "sentences",
    "settle_markup",
    "shown",
    "split",
    "whole",
    "with_stop",
    "written",
]
