"""Language codes: what people and models write, and the voices that espeak-ng has for them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable

from vall_e_core import PluginError, UsageError

AUTO = "auto"
ALIASES = {"en": "en-us", "fr": "fr-fr", "zh": "cmn-latn-pinyin", "no": "nb", "iw": "he", "in": "id", "tl": "fil"}
"""Codes for which the library has a more specific voice; `en`, `fr` and `zh` as upstream's models were trained."""

_SCRIPTS = {
    "CYRILLIC": ("ru", "uk", "bg", "be", "mk", "kk", "ky", "tt", "ba", "cv", "sr"),
    "GREEK": ("el", "grc"),
    "ARABIC": ("ar", "fa", "ur", "sd", "ug"),
    "HEBREW": ("he",),
    "DEVANAGARI": ("hi", "mr", "ne", "kok"),
    "HANGUL": ("ko",),
}
_LATIN = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "fi", "cs", "tr", "ro", "hu", "id", "vi")


def voice_for(language: str, voices: Collection[str]) -> str:
    """The library's voice for a language code. Raises UsageError that lists the known ones."""
    code = language.strip().replace("_", "-").lower()
    by_folded = {voice.lower(): voice for voice in voices}
    for candidate in (ALIASES.get(code), code, ALIASES.get(code.partition("-")[0]) if code.startswith("zh") else None):
        if candidate is not None and candidate.lower() in by_folded:
            return by_folded[candidate.lower()]
    listed = ", ".join(known(voices))
    raise UsageError(f"unknown language: {language!r}", cause="espeak-ng has no voice for it", try_=f"one of {listed}")


def known(voices: Collection[str]) -> list[str]:
    """All codes that `voice_for` takes."""
    return sorted({*voices, *(alias for alias, voice in ALIASES.items() if voice in voices), AUTO})


def detect(texts: Iterable[str]) -> str:
    """The language of `texts` taken together, by the langdetect package. Raises PluginError where that is missing."""
    try:
        import langdetect
    except ImportError as error:
        raise PluginError(
            "the language can't be detected: the langdetect package isn't installed",
            try_="pip install langdetect, or name the language (--language en)",
        ) from error
    langdetect.DetectorFactory.seed = 0  # it samples; a fixed seed makes it repeatable
    try:
        found = str(langdetect.detect(" ".join(texts)))
    except langdetect.lang_detect_exception.LangDetectException as error:
        raise UsageError("no language could be detected in the text", try_="--language en") from error
    return found.partition("-")[0]


def foreign_letters(text: str, language: str) -> Counter[str]:
    """Letters of a script that `language` isn't written in, by script: the library spells those, if it reads them.

    Empty for a language whose script isn't known here.
    """
    base = language.partition("-")[0].lower()
    own = {script for script, codes in _SCRIPTS.items() if base in codes}
    if base in _LATIN:
        own = {"LATIN"}
    if base in ("zh", "cmn", "yue"):
        own = {"CJK", "BOPOMOFO", "LATIN"}
    if base == "ja":
        own = {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN"}
    if not own:
        return Counter()
    own |= {"LATIN", "FULLWIDTH", "FEMININE", "MASCULINE", "MICRO", "KELVIN", "ANGSTROM", "MODIFIER"}
    scripts = (unicodedata.name(char, "UNKNOWN").split()[0] for char in text if char.isalpha())
    return Counter(script for script in scripts if script not in own)
