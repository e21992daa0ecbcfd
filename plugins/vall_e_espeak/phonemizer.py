"""The phonemizer object: the phonemizer package's espeak backend, one instance per voice."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vall_e_core import InputError, PluginError

from . import languages
from .library import Library, find_library, short_data_path
from .prepare import chunks, has_han, katakana_to_hiragana, prepare

_TONES = str.maketrans("12345", "ˇˉˊˋ_")
_loading = threading.Lock()
"""The phonemizer package keeps the library's path in class attributes."""


def build(library: Path | None, *, tones: str, notify: Callable[[str], None]) -> EspeakPhonemizerModel:
    """Find the library and load it. Raises PluginError."""
    return EspeakPhonemizerModel(find_library(library), tones=tones, notify=notify)


class EspeakPhonemizerModel:
    """Text to IPA. Safe to call from several threads: calls into the library take turns."""

    name = "espeak"

    def __init__(self, library: Library, *, tones: str, notify: Callable[[str], None]) -> None:
        """`tones`: `marks` or `digits`, for Mandarin. `notify` takes one-line notices."""
        self.library = library
        self._tones = tones
        self._notify = notify
        self._data = short_data_path(library.data)
        self._lock = threading.Lock()
        self._backends: dict[str, Any] = {}
        self._kakasi: Any = None
        with self._loaded() as espeak:
            self._voices: tuple[str, ...] = tuple(espeak.supported_languages())

    def languages(self) -> Sequence[str]:
        """Every code that `phonemize` takes, `auto` among them."""
        return languages.known(self._voices)

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
        voice = languages.voice_for(language, self._voices)
        return [self._one(text, voice) for text in texts]

    def _one(self, text: str, voice: str) -> str:
        prepared = prepare(self._hiragana(text) if voice == "ja" else text)
        self._report_foreign(prepared, voice)
        with self._lock:
            backend = self._backend(voice)
            parts = [" ".join(backend.phonemize([chunk], strip=True)) for chunk in chunks(prepared) if chunk]
        result = " ".join(part.strip() for part in parts).strip()
        if not any(char.isalpha() for char in result) and any(char.isalnum() for char in prepared):
            shown = f"{prepared[:60]}…" if len(prepared) > 60 else prepared
            raise InputError(f"espeak-ng has no reading in {voice!r} for: {shown}", try_="the text's own --language")
        return result.translate(_TONES) if voice.startswith("cmn") and self._tones == "marks" else result

    def _report_foreign(self, text: str, voice: str) -> None:
        for script, count in languages.foreign_letters(text, voice).items():
            letters = "letter" if count == 1 else "letters"
            self._notify(f"{count} {script.title()} {letters} in text read as {voice}: spoken by name, or not at all")

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

    def _backend(self, voice: str) -> Any:  # noqa: ANN401 - an untyped package's class
        if voice not in self._backends:
            with self._loaded() as espeak:
                self._backends[voice] = espeak(
                    voice,
                    preserve_punctuation=True,
                    with_stress=True,
                    language_switch="remove-flags",
                    words_mismatch="ignore",
                    logger=_quiet_logger(),
                )
        return self._backends[voice]

    @contextmanager
    def _loaded(self) -> Iterator[Any]:
        """The backend class, told which library to load for as long as the block lasts. Raises PluginError."""
        from phonemizer.backend.espeak.espeak import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper

        with _loading:
            before = EspeakWrapper._ESPEAK_LIBRARY, EspeakWrapper._ESPEAK_DATA_PATH
            EspeakWrapper.set_library(str(self.library.path))
            EspeakWrapper.set_data_path(str(self._data))
            try:
                yield EspeakBackend
            except RuntimeError as error:
                where = f"{self.library.path} ({self.library.source}), data in {self.library.data}"
                raise PluginError(f"espeak-ng can't be loaded: {where}", cause=str(error)) from error
            finally:
                EspeakWrapper.set_library(before[0])
                EspeakWrapper.set_data_path(before[1])


def _quiet_logger() -> logging.Logger:
    """The package announces itself and every language switch; neither is news to our user."""
    logger = logging.getLogger("vall_e.espeak")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
