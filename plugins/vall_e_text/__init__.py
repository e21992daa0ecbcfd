"""Text as somebody types it, as pieces that can be spoken: words, pronunciations, pauses and stops.

A library, not a plugin: it registers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import lazy_names

if TYPE_CHECKING:
    from .cleaning import MOST_TEXT_BYTES, CleanText, clean_text, decode_text, read_text
    from .floods import without_floods
    from .front_end import FrontEnd, build_normalizers, find_normalizers, other_languages, readable
    from .languages import language_base
    from .lexicon import Lexicon, read_lexicon
    from .normalizing import normalized
    from .pieces import IPA, Pause, Piece, Spoken, Stop, Words, joined, replaced, runs, shown, written
    from .punctuation import begun, known_punctuation, with_stop
    from .reading import MARKUP, Reading, read, settle_markup
    from .segments import CLOSING, Segment, require_speech, split, whole
    from .sentences import detect_script, estimate_seconds, find_sentences
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            ".cleaning": ("MOST_TEXT_BYTES", "CleanText", "clean_text", "decode_text", "read_text"),
            ".floods": ("without_floods",),
            ".front_end": ("FrontEnd", "build_normalizers", "find_normalizers", "other_languages", "readable"),
            ".languages": ("language_base",),
            ".lexicon": ("Lexicon", "read_lexicon"),
            ".normalizing": ("normalized",),
            ".pieces": (
                "IPA",
                "Pause",
                "Piece",
                "Spoken",
                "Stop",
                "Words",
                "joined",
                "replaced",
                "runs",
                "shown",
                "written",
            ),
            ".punctuation": ("begun", "known_punctuation", "with_stop"),
            ".reading": ("MARKUP", "Reading", "read", "settle_markup"),
            ".segments": ("CLOSING", "Segment", "require_speech", "split", "whole"),
            ".sentences": ("detect_script", "estimate_seconds", "find_sentences"),
        },
    )

__all__ = [
    "CLOSING",
    "IPA",
    "MARKUP",
    "MOST_TEXT_BYTES",
    "CleanText",
    "FrontEnd",
    "Lexicon",
    "Pause",
    "Piece",
    "Reading",
    "Segment",
    "Spoken",
    "Stop",
    "Words",
    "begun",
    "build_normalizers",
    "clean_text",
    "decode_text",
    "detect_script",
    "estimate_seconds",
    "find_normalizers",
    "find_sentences",
    "joined",
    "known_punctuation",
    "language_base",
    "normalized",
    "other_languages",
    "read",
    "read_lexicon",
    "read_text",
    "readable",
    "replaced",
    "require_speech",
    "runs",
    "settle_markup",
    "shown",
    "split",
    "whole",
    "with_stop",
    "without_floods",
    "written",
]
