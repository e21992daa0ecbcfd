"""The phonemizer object: what is done to a text before and behind the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vall_e_core import InputError, PluginError

from . import languages
from .library import find_library
from .loaded import Loaded, loaded
from .prepare import chunks, cut_at_marks, has_han, katakana_to_hiragana, name_letter_a, prepare

_TONES = str.maketrans("12345", "ˇˉˊˋ_")


def build(library: Path | None, *, tones: str, notify: Callable[[str], None]) -> EspeakPhonemizerModel:
    """Find the library and load it. Raises PluginError."""
    return EspeakPhonemizerModel(loaded(find_library(library)), tones=tones, notify=notify)


class EspeakPhonemizerModel:
    """Text to IPA. Safe to call from several threads: calls into the library take turns."""

    name = "espeak"

    def __init__(self, espeak: Loaded, *, tones: str, notify: Callable[[str], None]) -> None:
        """`tones`: `marks` or `digits`, for Mandarin. `notify` takes one-line notices."""
        self.library = espeak.library
        self._espeak = espeak
        self._tones = tones
        self._notify = notify
        self._kakasi: Any = None

    def languages(self) -> Sequence[str]:
        """Every code that `phonemize` takes, `auto` among them."""
        return languages.known(self._espeak.voices)

    def detect(self, texts: Sequence[str]) -> str:
        """The language that `auto` stands for. Raises PluginError where langdetect isn't installed."""
        return languages.detect(texts)

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        """One IPA string per text, in order: stress marked, punctuation kept, no language-switch flags, stripped.

        Raises UsageError for an unknown language (with the list of known ones), InputError for letters that the
        library has no reading for.
        """
        if language.strip().lower() == languages.AUTO:
            language = self.detect(texts)
        voice = languages.voice_for(language, self._espeak.voices)
        return [self._one(text, voice) for text in texts]

    def _one(self, text: str, voice: str) -> str:
        prepared = prepare(self._hiragana(text) if voice == "ja" else text)
        if voice.startswith("en"):
            prepared = name_letter_a(prepared)
        self._report_foreign(prepared, voice)
        with self._espeak.lock:
            backend = self._espeak.backend(voice)
            parts = [_with_marks(backend, chunk) for chunk in chunks(prepared) if chunk]
        result = " ".join(part.strip() for part in parts).strip()
        if not any(char.isalpha() for char in result) and any(char.isalnum() for char in prepared):
            raise _unread(prepared, voice)
        return result.translate(_TONES) if voice.startswith("cmn") and self._tones == "marks" else result

    def _report_foreign(self, text: str, voice: str) -> None:
        found = languages.foreign_letters(text, voice)
        if 4 * (found.total() - found["GREEK"]) > 3 * sum(map(str.isalpha, text)):
            raise _unread(text, voice)  # "Chinese letter, Chinese letter" is no reading
        for script, count in found.items():
            letters = "letter" if count == 1 else "letters"
            name = "Chinese" if script == "CJK" else script.title()
            self._notify(f"{count} {name} {letters} in text read as {voice}: spoken by name, or not at all")

    def _hiragana(self, text: str) -> str:
        if has_han(text):
            if self._kakasi is None:
                try:
                    import pykakasi
                except ImportError as error:
                    raise PluginError(
                        "Japanese text with kanji needs the pykakasi package",
                        cause="espeak-ng reads kana only",
                        try_="pip install pykakasi, or write the text in kana",
                    ) from error
                self._kakasi = pykakasi.kakasi()
            text = "".join(item["hira"] for item in self._kakasi.convert(text))
        return katakana_to_hiragana(text)


def _unread(text: str, voice: str) -> InputError:
    shown = f"{text[:60]}…" if len(text) > 60 else text
    return InputError(f"espeak-ng has no reading in {voice!r} for: {shown}", try_="the text's own --language")


def _with_marks(backend: Any, text: str) -> str:  # noqa: ANN401 - an untyped package's class
    """The phonemes of a text, its marks where they stood."""
    pieces, marks = cut_at_marks(text)
    words = [piece for piece in pieces if piece.strip()]
    spoken = iter(backend.phonemize(words, strip=True) if words else ())
    made = [next(spoken).strip() if piece.strip() else piece for piece in pieces]
    return "".join(part for pair in zip(made, [*marks, ""], strict=True) for part in pair)
